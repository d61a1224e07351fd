import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from training.evaluation.plane import lay_out, onto, quality

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.eye(8)[:4], 30, axis=0)
EMBEDDINGS = (GROUPS + RNG.normal(scale=0.1, size=GROUPS.shape)).astype(np.float32)


def test_the_same_input_gives_the_same_plane() -> None:
    first, how = lay_out(EMBEDDINGS)
    second, _ = lay_out(EMBEDDINGS)
    np.testing.assert_array_equal(first, second)
    assert "t-SNE" in how
    assert np.square(first).sum(axis=1).mean() == pytest.approx(1)


def test_what_is_near_stays_near() -> None:
    plane, _ = lay_out(EMBEDDINGS)
    found = quality(EMBEDDINGS, plane)
    assert found.trustworthiness > 0.9
    shuffled = quality(EMBEDDINGS, RNG.permutation(plane))
    assert shuffled.trustworthiness < 0.7
    assert shuffled.continuity < 0.7


@pytest.mark.parametrize("k", [1, 5, 15])
def test_quality_is_scikit_learns(k: int) -> None:
    plane = EMBEDDINGS[:, :2].astype(np.float64)
    found = quality(EMBEDDINGS, plane, k)
    assert found.trustworthiness == pytest.approx(
        trustworthiness(EMBEDDINGS, plane, n_neighbors=k), abs=1e-6
    )
    assert found.continuity == pytest.approx(
        trustworthiness(plane, EMBEDDINGS, n_neighbors=k), abs=1e-6
    )


def test_a_plane_that_is_the_embedding_is_perfect() -> None:
    points = RNG.normal(size=(100, 2))
    found = quality(points, points)
    assert (found.trustworthiness, found.continuity) == (1, 1)


def test_a_turned_plane_is_laid_back_onto_its_reference() -> None:
    reference = RNG.normal(size=(50, 2))
    turn = np.array([[0.0, 1.0], [1.0, 0.0]])  # mirrored, too
    np.testing.assert_allclose(onto(3 * reference @ turn + 5, reference), reference, atol=1e-9)


def test_planes_that_start_together_can_be_compared() -> None:
    reference, _ = lay_out(EMBEDDINGS)
    other = EMBEDDINGS[:, ::-1] + RNG.normal(scale=0.02, size=EMBEDDINGS.shape)
    laid, how = lay_out(other.astype(np.float32), reference)
    alone, _ = lay_out(other.astype(np.float32))
    assert "laid onto" in how
    means = [plane.reshape(4, 30, 2).mean(axis=1) for plane in (reference, laid, alone)]
    assert np.linalg.norm(means[0] - means[1]) < 0.5 * np.linalg.norm(means[0] - means[2])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_few_points_have_a_plane(n: int) -> None:
    plane, _ = lay_out(EMBEDDINGS[:n])
    assert plane.shape == (n, 2)
    assert np.isfinite(plane).all()
    quality(EMBEDDINGS[:n], plane)
