from collections.abc import Callable
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

from models.manifest import Metric
from service.vectors import IndexSpec, KindInUse, LocalIndex, Rows, Vectors
from tests.support.indexes import Oracle
from tests.support.vectors import clustered

VECTORS = clustered(6_000, 8)
QUERIES = clustered(10, 8, seed=1)
SPEC = IndexSpec(8, "cosine", "hnsw", buffer_rows=500, threads=1)


class Truth:
    """Every vector there is, and whom to call when it is read."""

    def __init__(self) -> None:
        self.gone = np.zeros(len(VECTORS), bool)
        self.on_read: Callable[[], None] = lambda: None

    def fetch(self, rows: Rows) -> Vectors:
        then, self.on_read = self.on_read, lambda: None
        then()
        return np.where(self.gone[rows, None], np.float32(np.nan), VECTORS[rows])


def filled(spec: IndexSpec, n: int, truth: Truth | None = None) -> LocalIndex:
    index = LocalIndex(spec, fetch=(truth or Truth()).fetch)
    index.add(np.arange(n), VECTORS[:n])
    return index


def assert_holds(index: LocalIndex, rows: Rows) -> None:
    """It finds these rows and no others, each by its own vector."""
    assert len(index) == len(rows)
    hits = index.search(QUERIES, len(VECTORS))
    np.testing.assert_array_equal(np.sort(hits.rows, axis=1), np.tile(rows, (len(QUERIES), 1)))
    near = index.search(QUERIES, 10)
    oracle = Oracle("cosine")
    oracle.add(rows, VECTORS[rows])
    expected = oracle.search(QUERIES, 10).rows
    found = [len(np.intersect1d(*both)) for both in zip(near.rows, expected, strict=True)]
    assert np.mean(found) > 9


def test_nothing_is_built_of_few_rows() -> None:
    index = filled(SPEC, 500)
    assert not index.maintain()
    assert index.kind_in_use == "exact"
    assert index.built is None


@pytest.mark.parametrize("kind", ["hnsw", "compact"])
def test_what_waited_is_built_once_it_is_enough(kind: KindInUse) -> None:
    index = filled(replace(SPEC, kind=kind), 3_000)
    assert index.maintain()
    assert not index.maintain()
    assert index.kind_in_use == kind
    assert index.built is not None
    assert index.built.index.ntotal == 3_000
    assert_holds(index, np.arange(3_000))


@pytest.mark.parametrize("kind", ["hnsw", "compact"])
def test_what_comes_later_is_added_to_what_is_built(kind: KindInUse) -> None:
    index = filled(replace(SPEC, kind=kind), 3_000)
    index.maintain()
    index.remove(np.arange(0, 500, 5))
    index.add(np.arange(3_000, 4_000), VECTORS[3_000:4_000])
    index.remove(np.array([3_500]))
    assert index.maintain()
    assert not index.maintain()
    index.remove(np.array([3_600]))
    living = np.setdiff1d(np.arange(4_000), [*range(0, 500, 5), 3_500, 3_600])
    assert_holds(index, living)


@pytest.mark.parametrize("kind", ["hnsw", "compact"])
def test_it_is_built_anew_once_many_are_dead(kind: KindInUse) -> None:
    index = filled(replace(SPEC, kind=kind), 3_000)
    index.maintain()
    index.remove(np.arange(0, 1_200, 2))
    assert not index.maintain()
    index.remove(np.arange(1, 1_200, 2))
    assert index.maintain()
    assert not index.maintain()
    assert_holds(index, np.arange(1_200, 3_000))


def test_auto_grows_from_exact_to_a_graph_to_codes_and_shrinks_again() -> None:
    spec = IndexSpec(
        8, "cosine", buffer_rows=100, exact_below=1_000, memory_limit_bytes=550_000, threads=1
    )
    index = LocalIndex(spec, fetch=Truth().fetch)
    kinds = []
    for start, stop in [(0, 900), (900, 1_500), (1_500, 5_000)]:
        index.add(np.arange(start, stop), VECTORS[start:stop])
        index.maintain()
        kinds.append(index.kind_in_use)
    index.remove(np.arange(4_500))
    assert index.maintain()
    kinds.append(index.kind_in_use)
    assert kinds == ["exact", "hnsw", "compact", "exact"]
    assert_holds(index, np.arange(4_500, 5_000))


def test_what_is_written_during_a_build_is_kept() -> None:
    truth = Truth()
    index = filled(replace(SPEC, kind="compact"), 3_000, truth)
    index.maintain()
    index.remove(np.arange(1_000))

    def write() -> None:
        index.remove(np.array([1_500, 2_999]))
        index.add(np.arange(3_000, 3_050), VECTORS[3_000:3_050])
        index.remove(np.array([3_010]))

    truth.on_read = write
    assert index.maintain()
    assert_holds(index, np.setdiff1d(np.arange(1_000, 3_050), [1_500, 2_999, 3_010]))


def test_a_graph_is_built_while_another_thread_writes_and_searches() -> None:
    index = filled(SPEC, 3_000)
    building = Thread(target=index.maintain)
    building.start()
    row = 3_000
    while building.is_alive() and row < 6_000:
        index.add(np.array([row]), VECTORS[row : row + 1])
        index.remove(np.array([row - 3_000]))
        row += 1
        assert index.search(QUERIES, 10).rows.shape == (10, 10)
    building.join()
    assert_holds(index, np.arange(row - 3_000, row))


def test_closing_ends_a_build_that_is_under_way() -> None:
    truth = Truth()
    index = filled(replace(SPEC, kind="compact"), 3_000, truth)
    index.maintain()
    index.remove(np.arange(1_000))
    truth.on_read = index.close
    assert not index.maintain()
    assert len(index) == 2_000


def test_rows_that_are_met_again_are_passed_over() -> None:
    index = filled(SPEC, 1_000)
    index.maintain()
    index.remove(np.array([7]))
    index.add(np.arange(5, 1_100), VECTORS[5:1_100])
    assert_holds(index, np.setdiff1d(np.arange(1_100), [7]))


@pytest.mark.parametrize("allowed", [50, 3_000])
def test_a_row_that_the_truth_lost_comes_last_until_it_is_removed_here(allowed: int) -> None:
    truth = Truth()
    index = filled(replace(SPEC, kind="compact"), 3_000, truth)
    index.maintain()
    lost = index.search(VECTORS[:1], 1).rows[0]
    truth.gone[lost] = True
    hits = index.search(VECTORS[:1], allowed, np.union1d(lost, np.arange(allowed)))
    assert hits.rows[0, -1] == lost[0]
    assert np.isneginf(hits.scores[0, -1])
    index.remove(np.arange(1_000, 2_000))
    assert index.maintain()
    assert len(index) == 2_000 - int(lost[0] < 1_000 or lost[0] >= 2_000)


@pytest.mark.parametrize(("queries", "lost"), [(1, 1_900), (200, 2_900)])
def test_rows_that_the_truth_lost_fill_up_where_no_others_are_left(queries: int, lost: int) -> None:
    truth = Truth()
    index = filled(replace(SPEC, kind="compact"), 6_000, truth)
    index.maintain()
    truth.gone[:lost] = True
    batch = clustered(queries, 8, seed=2)
    none = index.search(batch, 5, np.arange(lost))
    assert np.isneginf(none.scores).all()
    assert (none.rows < lost).all()
    some = index.search(batch, 5, np.arange(20, lost + 2))
    np.testing.assert_array_equal(
        np.sort(some.rows[:, :2], axis=1), np.tile([lost, lost + 1], (queries, 1))
    )
    assert np.isneginf(some.scores[:, 2:]).all()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_rows_that_the_truth_lost_come_before_candidates_that_there_are_none_of(
    metric: Metric,
) -> None:
    rng = np.random.default_rng(0)
    sides = np.where(np.arange(6_000)[:, None] < 3_000, np.float32(1), np.float32(-1))
    vectors = sides + rng.normal(0, 0.3, (6_000, 8)).astype(np.float32)
    lost = np.arange(0, 120, 2)

    def fetch(rows: Rows) -> Vectors:
        return np.where(np.isin(rows, lost)[:, None], np.float32(np.nan), vectors[rows])

    index = LocalIndex(replace(SPEC, kind="compact", metric=metric), fetch=fetch)
    index.add(np.arange(6_000), vectors)
    index.maintain()
    near = np.arange(120)  # all that may be found on the queries' side: fewer than are re-ranked
    hits = index.search(vectors[:3], 100, np.concatenate([near, np.arange(3_000, 6_000)]))
    assert np.isin(hits.rows, near).all()
    gone = np.isin(hits.rows, lost)
    assert gone.any(axis=1).all()
    np.testing.assert_array_equal(np.isneginf(hits.scores), gone)
    assert (hits.scores[:, :-1] >= hits.scores[:, 1:]).all()


def test_a_batch_reads_the_rows_it_may_find_once_where_it_would_read_as_many_anyway() -> None:
    read: list[Rows] = []

    def fetch(rows: Rows) -> Vectors:
        read.append(rows)
        vectors: Vectors = VECTORS[rows]
        return vectors

    index = LocalIndex(replace(SPEC, kind="compact"), fetch=fetch)
    index.add(np.arange(6_000), VECTORS)
    index.maintain()
    oracle, among = Oracle("cosine"), np.arange(0, 6_000, 2)
    oracle.add(among, VECTORS[among])
    batch = clustered(100, 8, seed=2)
    read.clear()
    np.testing.assert_array_equal(
        index.search(batch, 10, among).rows, oracle.search(batch, 10).rows
    )
    assert [rows.tolist() for rows in read] == [among.tolist()]
    read.clear()
    index.search(batch[:1], 10, among)
    assert sum(map(len, read)) < 100


def test_rows_asked_for_again_are_those_that_there_are_by_then() -> None:
    index = filled(SPEC, 3_000)
    index.maintain()
    among = np.arange(0, 4_000, 2)
    among.flags.writeable = False  # so that what the index makes of them may be kept
    for _ in range(2):
        assert index.search(QUERIES, 4_000, among).rows.shape == (10, 1_500)
    index.remove(np.array([0, 2]))
    index.add(np.arange(3_000, 4_000), VECTORS[3_000:4_000])
    for _ in range(2):
        hits = index.search(QUERIES, 4_000, among)
        np.testing.assert_array_equal(np.sort(hits.rows, axis=1), np.tile(among[2:], (10, 1)))


def test_rows_asked_for_are_not_mistaken_for_others() -> None:
    index = filled(SPEC, 3_000)
    halves = (np.arange(0, 3_000, 2), np.arange(1, 3_000, 2))
    for half in halves:
        half.flags.writeable = False
    for half in halves:
        hits = index.search(QUERIES, 3_000, half)
        np.testing.assert_array_equal(np.sort(hits.rows, axis=1), np.tile(half, (10, 1)))
