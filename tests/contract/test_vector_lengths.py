"""Neighbors do not depend on the length of a vector, and a score is what it says."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.manifest import Metric
from service.vectors import VectorIndex
from service.vectors.lengths import LONGEST, UnusableVectors
from tests.support.indexes import LOCAL, PARAMETERS, Engine, Oracle, settle
from tests.support.vectors import clustered

DIMENSION, SIZE = 16, 1_200
VECTORS = clustered(SIZE, DIMENSION, clusters=20)
QUERIES = clustered(25, DIMENSION, clusters=20, seed=1)
LENGTHS = (1e-44, 1e-40, 1e-30, 1e-23, 1e-20, 1e-3, 1e19, 1e20, 1e30, 3e38)


@pytest.fixture(params=["cosine", "l2"])
def metric(request: pytest.FixtureRequest) -> Metric:
    chosen: Metric = request.param
    return chosen


@pytest.fixture(params=PARAMETERS)
def index(request: pytest.FixtureRequest, metric: Metric, tmp_path: Path) -> Iterator[VectorIndex]:
    engine: Engine = request.param
    oracle = Oracle(metric)
    oracle.add(np.arange(SIZE), VECTORS)
    with engine.open(tmp_path, DIMENSION, metric, oracle) as opened:
        opened.add(np.arange(1_000), VECTORS[:1_000])
        settle(opened)
        opened.add(np.arange(1_000, SIZE), VECTORS[1_000:])
        yield opened


@pytest.mark.parametrize("metric", ["cosine"])
@pytest.mark.parametrize("count", [1, 25])  # few and many are compared in two ways
def test_a_query_of_any_length_finds_the_same_by_cosine(index: VectorIndex, count: int) -> None:
    expected = index.search(QUERIES[:count], 10)
    for length in LENGTHS:
        queries = (QUERIES[:count].astype(np.float64) * length).astype(np.float32)
        found = index.search(queries, 10)
        if length >= 1e-30:  # below, float32 itself has lost digits
            np.testing.assert_array_equal(found.rows, expected.rows)
            np.testing.assert_allclose(found.scores, expected.scores, atol=2e-7)
        assert (np.abs(found.scores) <= 1).all()
        assert all(len(set(rows)) == 10 for rows in found.rows.tolist())
        assert (found.rows >= 0).all()


@pytest.mark.parametrize("metric", ["cosine"])
def test_a_vector_of_any_length_is_added_as_its_direction(metric: Metric, tmp_path: Path) -> None:
    for engine in LOCAL:
        oracle = Oracle(metric)
        oracle.add(np.arange(SIZE), VECTORS)
        with engine.open(tmp_path, DIMENSION, metric, oracle) as index:
            scale = np.array([1e-30, 1, 1e30], np.float32)[np.arange(SIZE) % 3, None]
            index.add(np.arange(SIZE), VECTORS * scale)
            settle(index)
            hits = index.search(QUERIES, 10)
            expected = oracle.search(QUERIES, 10)
            assert np.mean(hits.scores >= expected.scores[:, -1:] - 1e-6) >= engine.least_recall


def test_a_vector_is_as_near_to_itself_as_can_be(index: VectorIndex, metric: Metric) -> None:
    """Exactly, so that `min_score` 1 (or 0 under l2) finds it."""
    for count in (1, 25):
        for start in (0, 1_100):
            hits = index.search(VECTORS[start : start + count], 1)
            own = hits.rows[:, 0] == np.arange(start, start + count)
            assert own.mean() >= 0.9
            assert (hits.scores[own] == (1 if metric == "cosine" else 0)).all()
            assert (hits.scores <= (1 if metric == "cosine" else 0)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_has_no_distance_is_refused(index: VectorIndex, bad: float) -> None:
    queries = QUERIES[:3].copy()
    queries[1, 2] = bad
    with pytest.raises(UnusableVectors) as refused:
        index.search(queries, 2)
    assert list(refused.value.problems) == [1]
    with pytest.raises(UnusableVectors):
        index.add(np.arange(SIZE, SIZE + 3), queries)
    assert len(index) == SIZE


@pytest.mark.parametrize("metric", ["l2"])
def test_a_distance_never_overflows(index: VectorIndex) -> None:
    for length in (1e-44, 1e-20, 1e9, 0.99 * LONGEST):
        hits = index.search((QUERIES * length).astype(np.float32), 3)
        assert np.isfinite(hits.scores).all()
        assert all(len(set(rows)) == 3 for rows in hits.rows.tolist())
    for length in (1.01 * LONGEST, 1e20, 1e38):
        with pytest.raises(UnusableVectors):
            index.search((QUERIES * length).astype(np.float32), 3)
