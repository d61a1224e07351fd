import numpy as np
import pytest

from models.manifest import Metric
from service.vectors import ExactIndex, VectorIndex

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(50, 6)).astype(np.float32)
QUERIES = RNG.normal(size=(4, 6)).astype(np.float32)


def brute_force(metric: Metric, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if metric == "l2":
        scores: np.ndarray = -((queries[:, None] - rows[None]) ** 2).sum(axis=2)
        return scores
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (queries, rows)]
    cosines: np.ndarray = unit[0] @ unit[1].T
    return cosines


def filled(metric: Metric) -> VectorIndex:
    index: VectorIndex = ExactIndex(6, metric)
    index.add(np.arange(20), ROWS[:20])
    index.add(np.arange(20, 50), ROWS[20:])
    return index


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_hits_are_those_of_brute_force_nearest_first(metric: Metric) -> None:
    hits = filled(metric).search(QUERIES, 9)
    scores = brute_force(metric, QUERIES.astype(np.float64), ROWS.astype(np.float64))
    order = np.argsort(-scores, axis=1)[:, :9]
    np.testing.assert_array_equal(hits.rows, order)
    np.testing.assert_allclose(hits.scores, np.take_along_axis(scores, order, 1), atol=1e-5)
    assert (np.diff(hits.scores, axis=1) <= 0).all()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_a_row_is_its_own_nearest(metric: Metric) -> None:
    hits = filled(metric).search(ROWS, 1)
    np.testing.assert_array_equal(hits.rows[:, 0], np.arange(50))
    np.testing.assert_allclose(hits.scores[:, 0], 1 if metric == "cosine" else 0, atol=1e-5)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_there_are_no_more_hits_than_rows(metric: Metric) -> None:
    assert filled(metric).search(QUERIES, 1000).rows.shape == (4, 50)
    empty = ExactIndex(6, metric)
    assert (len(empty), empty.search(QUERIES, 3).rows.shape) == (0, (4, 0))


def test_a_zero_vector_has_no_direction_and_no_nan() -> None:
    hits = filled("cosine").search(np.zeros((1, 6), np.float32), 3)
    np.testing.assert_array_equal(hits.scores, 0)
