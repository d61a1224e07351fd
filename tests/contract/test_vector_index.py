"""Every engine answers as brute force does, whatever was added and removed before.

Where an engine is approximate it may miss neighbors, within its `least_recall`; its scores, their
order and their number are held to the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from models.manifest import Metric
from service.vectors import Hits, Rows, VectorIndex, Vectors
from tests.support.indexes import PARAMETERS, Engine, Oracle, settle
from tests.support.vectors import clustered

DIMENSION = 16
SETTLED = 3_400  # enough that a graph is not passed by
SIZE = 3_600
# Long for l2, so that an engine that scales what it should not is found out.
VECTORS = 3 * clustered(SIZE, DIMENSION, clusters=20)
QUERIES = clustered(25, DIMENSION, clusters=20, seed=1)
_ATOL = 2e-5  # of FAISS's float32, where the vectors are 3 long


@dataclass
class Pair:
    """An index and the oracle, with the same rows."""

    engine: Engine
    index: VectorIndex
    oracle: Oracle

    def add(self, rows: Rows, vectors: Vectors) -> None:
        self.oracle.add(rows, vectors)  # the truth comes first
        self.index.add(rows, vectors)

    def remove(self, rows: Rows) -> None:
        self.oracle.remove(rows)
        self.index.remove(rows)

    def check(self, k: int = 10, among: Rows | None = None, queries: Vectors = QUERIES) -> None:
        """Hold a search against the oracle's."""
        found = self.index.search(queries, k, among)
        expected = self.oracle.search(queries, k, among)
        assert found.rows.shape == found.scores.shape == expected.rows.shape
        assert (np.diff(found.scores, axis=1) <= 0).all()
        if found.rows.size:
            self._check_scores(found, queries)
            self._check_recall(found, expected)
        allowed = self.oracle.rows if among is None else among
        assert np.isin(found.rows, allowed).all()

    def _check_scores(self, found: Hits, queries: Vectors) -> None:
        rows = self.oracle.rows
        at = np.searchsorted(rows, found.rows)
        np.testing.assert_array_equal(rows[at], found.rows)
        assert all(len(set(row)) == len(row) for row in found.rows.tolist())
        scores = np.take_along_axis(self.oracle.scores(queries, rows), at, 1)
        np.testing.assert_allclose(found.scores, scores, atol=_ATOL)

    def _check_recall(self, found: Hits, expected: Hits) -> None:
        """By scores, so that it does not matter which of equally near rows is found."""
        hit = found.scores >= expected.scores[:, -1:] - _ATOL
        assert hit.mean() >= self.engine.least_recall


@pytest.fixture(scope="module", params=PARAMETERS)
def engine(request: pytest.FixtureRequest) -> Engine:
    assert isinstance(request.param, Engine)
    return request.param


@pytest.fixture(scope="module", params=["cosine", "l2"])
def metric(request: pytest.FixtureRequest) -> Metric:
    chosen: Metric = request.param
    return chosen


@pytest.fixture
def empty(engine: Engine, metric: Metric, tmp_path: Path) -> Iterator[Pair]:
    oracle = Oracle(metric)
    with engine.open(tmp_path, DIMENSION, metric, oracle) as index:
        yield Pair(engine, index, oracle)


@pytest.fixture
def filled(empty: Pair) -> Pair:
    """For a test that changes it."""
    return fill(empty)


@pytest.fixture(scope="module")
def shared(
    engine: Engine, metric: Metric, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """For tests that only search."""
    oracle = Oracle(metric)
    with engine.open(tmp_path_factory.mktemp("shared"), DIMENSION, metric, oracle) as index:
        yield fill(Pair(engine, index, oracle))


def fill(pair: Pair) -> Pair:
    """Settled, then a little more; rows have gaps, as where items were replaced."""
    pair.add(2 * np.arange(SETTLED), VECTORS[:SETTLED])
    settle(pair.index)
    pair.add(2 * np.arange(SETTLED, SIZE), VECTORS[SETTLED:])
    return pair


def test_it_is_a_vector_index(empty: Pair) -> None:
    assert isinstance(empty.index, VectorIndex)


def test_an_empty_index_finds_nothing(empty: Pair) -> None:
    assert len(empty.index) == 0
    assert empty.index.search(QUERIES, 5).rows.shape == (25, 0)
    assert empty.index.search(QUERIES, 5, np.arange(3)).rows.shape == (25, 0)
    empty.index.remove(np.array([1, 2]))


def test_no_queries_have_no_answers(shared: Pair) -> None:
    assert shared.index.search(QUERIES[:0], 5).rows.shape == (0, 5)


@pytest.mark.parametrize("k", [1, 10, 150])
def test_hits_are_those_of_brute_force_nearest_first(shared: Pair, k: int) -> None:
    assert len(shared.index) == SIZE
    shared.check(k)
    for query in QUERIES[:8]:  # one alone may be searched in another way than many
        shared.check(k, queries=query[None])


def test_there_are_no_more_hits_than_rows(shared: Pair) -> None:
    shared.check(10_000, queries=QUERIES[:3])


def test_a_row_is_its_own_nearest(shared: Pair) -> None:
    hits = shared.index.search(VECTORS, 1)
    own = hits.rows[:, 0] == 2 * np.arange(SIZE)
    assert own.mean() >= shared.engine.least_recall


def test_what_is_new_is_found_before_anything_is_built(empty: Pair) -> None:
    for start in range(0, 500, 100):
        empty.add(np.arange(start, start + 100), VECTORS[start : start + 100])
        empty.check()


def test_what_is_removed_is_found_no_more(filled: Pair) -> None:
    nearest = np.unique(filled.index.search(QUERIES, 10).rows)
    filled.remove(nearest)
    assert len(filled.index) == SIZE - len(nearest)
    filled.check()
    filled.remove(np.append(nearest[::-1], [10**9, 1]))  # gone, unknown, in any order
    assert len(filled.index) == SIZE - len(nearest)


def test_most_can_be_removed(filled: Pair) -> None:
    filled.remove(2 * np.arange(5, SIZE))
    filled.check(10)
    settle(filled.index)
    filled.check(10)
    filled.remove(2 * np.arange(5))
    assert len(filled.index) == 0
    filled.check(10)
    settle(filled.index)
    filled.check(10)


def test_what_is_replaced_comes_back_under_a_new_row(filled: Pair) -> None:
    old = 2 * np.arange(0, SIZE, 3)
    filled.remove(old)
    filled.add(100_000 + np.arange(len(old)), VECTORS[::3])
    assert len(filled.index) == SIZE
    filled.check()
    settle(filled.index)
    filled.check()


@pytest.mark.parametrize("allowed", [0, 1, 7, 100, 1_500, SIZE])
def test_a_search_looks_only_among_the_rows_that_it_is_given(shared: Pair, allowed: int) -> None:
    among = drawn(allowed)
    shared.check(10, among)
    shared.check(10, among, QUERIES[:1])


def drawn(count: int) -> Rows:
    return np.sort(np.random.default_rng(0).choice(SIZE, count, replace=False)) * 2


@pytest.mark.parametrize("allowed", [7, 1_500])
def test_of_the_rows_that_it_is_given_some_may_be_gone(filled: Pair, allowed: int) -> None:
    among = drawn(allowed)
    filled.remove(among[::2])
    filled.check(10, among)


def test_rows_far_from_the_query_are_found_where_only_they_are_allowed(shared: Pair) -> None:
    order = np.argsort(shared.oracle.scores(QUERIES[:1], shared.oracle.rows)[0])
    among = np.sort(shared.oracle.rows[order[:600]])
    shared.check(20, among, QUERIES[:1])


def test_rows_that_are_not_there_are_not_found_among_others(shared: Pair) -> None:
    shared.check(10, np.array([1, 2, 3, 4, 5, 10**12]))


def test_equal_vectors_are_all_found(empty: Pair) -> None:
    same = np.repeat(VECTORS[:3], 300, axis=0)
    empty.add(np.arange(900), same)
    settle(empty.index)
    empty.check(200, queries=VECTORS[:3])


def test_a_zero_query_has_no_direction_and_no_nan(shared: Pair) -> None:
    hits = shared.index.search(np.zeros((1, DIMENSION), np.float32), 3)
    assert hits.rows.shape == (1, 3)
    assert np.isfinite(hits.scores).all()


def test_a_search_sees_a_write_wholly_or_not_at_all(filled: Pair) -> None:
    """The writer adds and removes pairs of one vector; a search finds both of a pair or neither."""
    stop = Event()
    twin = np.repeat(QUERIES[:1], 2, axis=0)

    def write() -> None:
        row = 10**6
        while not stop.is_set():
            pair = np.array([row, row + 1])
            filled.oracle.add(pair, twin)
            filled.index.add(pair, twin)
            filled.index.remove(pair)
            settle(filled.index)
            row += 2

    writer = Thread(target=write)
    writer.start()
    try:
        for _ in range(25):
            hits = filled.index.search(QUERIES[:1], 4)
            assert hits.rows.shape == (1, 4)
            rows = hits.rows[0][hits.rows[0] >= 10**6]
            assert len(rows) in {0, 2}
            assert len({row // 2 for row in rows.tolist()}) == len(rows) / 2
    finally:
        stop.set()
        writer.join()
