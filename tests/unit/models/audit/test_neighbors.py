"""Nearest neighbors against scikit-learn; votes without copies; outliers."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from models.audit import neighbors
from models.audit.neighbors import far_out, nearest, voters
from models.manifest import Metric


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_the_same_neighbors_as_scikit_learn(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbors, "_BLOCK_VALUES", 1_000)  # several blocks
    vectors = np.random.default_rng(0).normal(size=(150, 12)).astype(np.float32)
    steps: list[int] = []
    found = nearest(vectors, 7, metric, steps.append)
    oracle = NearestNeighbors(n_neighbors=7, metric="cosine" if metric == "cosine" else "euclidean")
    distances, rows = oracle.fit(vectors).kneighbors()
    assert (found.rows == rows).all()
    assert np.allclose(found.distances, distances, atol=1e-4)
    assert sum(steps) == 150
    assert len(steps) > 5


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_vectors_than_neighbors(n: int) -> None:
    found = nearest(np.eye(3, dtype=np.float32)[:n], 10, "cosine")
    assert found.rows.shape == (n, n - 1)


def test_a_copy_has_no_vote() -> None:
    vectors = np.array([[1, 0], [1, 0], [0.9, 0.1], [0.8, 0.3], [0.7, 0.4]], np.float32)
    labels = np.array([1, 1, 0, 0, 0])
    shares = nearest(vectors, 4, "cosine").probabilities(labels, 2, 1e-6)
    assert shares[0].argmax() == 0  # its copy says 1, like itself; the others say 0
    assert np.allclose(shares.sum(axis=1), 1)
    with_copy = nearest(vectors, 4, "cosine").probabilities(labels, 2, -1)
    assert with_copy[0, 1] > shares[0, 1]


def test_far_out_needs_a_spread() -> None:
    assert not far_out(np.array([1.0, 1.0, 1.0, 1.0, 9.0])).any()
    assert not far_out(np.array([])).any()


def test_voters_are_bounded() -> None:
    assert [voters(n, 10) for n in (10, 400, 60_000)] == [5, 20, 50]
