"""The vectors lie as embeddings do, and what is true of them is known."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.index.cases import CASES, Case, Truth, find_truth
from benchmarks.index.data import Data, make_published_classes, published_models
from benchmarks.index.spread import Classes, Spread, fit, make_classes
from models.store import Store

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def classes() -> Classes:
    """As the benchmark has them."""
    return make_published_classes()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A small size, made."""
    made = Data(tmp_path_factory.mktemp("data"), 500, 20, 10)
    made.prepare()
    return made


def test_what_is_drawn_has_the_spread_it_was_drawn_from() -> None:
    """Of small spread, which the sphere's curve changes little; directions are drawn, then cut to
    their radius, so that the longest lose to the others."""
    spectrum = np.array([0.6, 0.3, 0.1, 0, 0, 0, 0, 0])
    spread = Spread(0.91**0.5, spectrum, np.full(100, 0.3))
    few = make_classes(spread, 4, np.random.default_rng(0))
    again = fit([few.draw(8000, np.random.default_rng(1))])
    assert again.length == pytest.approx(0.91**0.5, abs=0.03)
    np.testing.assert_allclose(again.spectrum, spectrum, atol=0.12)
    assert np.median(again.radii) == pytest.approx(0.3, abs=0.05)


def test_neighbors_are_as_near_as_in_the_published_galleries(classes: Classes) -> None:
    """With as many items a class as a gallery has: 500."""
    few = Classes(classes.spread, classes.centers[:10], classes.axes[:10])
    drawn, _ = few.draw(5000, np.random.default_rng(0))
    galleries = (Store(ROOT / "models/registry").load(n).gallery() for n in published_models())
    real = [_tenth(gallery.embeddings) for gallery in galleries]
    assert min(real) <= _tenth(drawn) <= max(real)


def _tenth(vectors: np.ndarray) -> float:
    """The distance, 1 - cosine, to the tenth neighbor, in the median."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float(np.median(1 - np.partition(unit @ unit.T, -11, axis=1)[:, -11]))


def test_items_and_queries_are_different_and_of_unit_length(data: Data) -> None:
    np.testing.assert_allclose(np.linalg.norm(data.vectors, axis=1), 1, atol=1e-6)
    assert data.queries.shape == (20, 64)
    assert (data.queries @ data.vectors.T).max() < 0.9999


def test_a_larger_size_begins_with_the_items_of_a_smaller_one(data: Data) -> None:
    larger = Data(data.folder, 700, 20, 10)
    larger.prepare()
    np.testing.assert_array_equal(larger.vectors[:500], data.vectors)
    assert len(larger.vectors) == 700


def test_what_was_made_is_not_made_again(data: Data) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.folder.iterdir()}
    data.prepare()
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_truth_is_what_comparing_with_every_row_gives(data: Data, case: Case) -> None:
    kept = data.kept(case)
    scores = data.queries @ data.vectors[kept].T
    k = min(10, len(kept))
    best = -np.sort(-scores, axis=1)[:, k - 1]
    np.testing.assert_allclose(
        find_truth(data.vectors, data.queries, kept, 10).kth, best, atol=1e-6
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_keeps_about_its_share(case: Case) -> None:
    assert case.kept(100_000).mean() == pytest.approx(case.share, abs=0.005)


def test_recall_counts_what_is_among_the_best_and_may_be_found() -> None:
    vectors = np.eye(4, dtype=np.float32)
    queries = np.array([[1, 0.8, 0.6, 0.4]], np.float32)
    everything, odd = np.arange(4), np.array([1, 3])
    truth = find_truth(vectors, queries, everything, 2)
    assert _recall(truth, queries, vectors, [[0, 1]], everything) == 1
    assert _recall(truth, queries, vectors, [[1, 2]], everything) == 0.5
    assert _recall(truth, queries, vectors, [[0, -1]], everything) == 0.5
    among = find_truth(vectors, queries, odd, 2)
    assert _recall(among, queries, vectors, [[1, 3]], odd) == 1
    assert _recall(among, queries, vectors, [[0, 1]], odd) == 0.5


def test_a_row_that_scores_as_the_last_of_the_best_is_as_good() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0.6, -0.8]], np.float32)
    queries = np.array([[1, 0]], np.float32)
    truth = find_truth(vectors, queries, np.arange(3), 2)
    for rows in ([[0, 1]], [[0, 2]]):
        assert _recall(truth, queries, vectors, rows, np.arange(3)) == 1


def _recall(
    truth: Truth, queries: np.ndarray, vectors: np.ndarray, rows: list[list[int]], kept: np.ndarray
) -> float:
    return truth.recall(queries, vectors, np.array(rows), kept)
