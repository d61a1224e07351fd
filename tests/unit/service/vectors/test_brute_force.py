from collections.abc import Callable
from pathlib import Path
from threading import Thread

import faiss
import numpy as np
import pytest

from models.manifest import Metric
from service.vectors.brute_force import scan, score_each
from service.vectors.mask import Mask
from tests.support.indexes import LOCAL, Engine, Oracle, settle
from tests.support.vectors import clustered

VECTORS = clustered(1_000, 8)


def on_another_thread(work: Callable[[], object]) -> None:
    thread = Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("engine", LOCAL, ids=lambda engine: engine.name)
def test_a_search_leaves_faiss_one_thread_whichever_thread_asks(
    engine: Engine, tmp_path: Path
) -> None:
    oracle = Oracle("cosine")
    oracle.add(np.arange(1_000), VECTORS)
    threads: list[int] = []

    def ask() -> None:
        faiss.omp_set_num_threads(2)
        index.search(VECTORS[:3], 2)
        threads.append(faiss.omp_get_max_threads())

    with engine.open(tmp_path, 8, "cosine", oracle) as index:
        index.add(np.arange(1_000), VECTORS)
        settle(index)
        on_another_thread(ask)
    assert threads == [1]


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("queries", [1, 19, 20, 40])
@pytest.mark.parametrize("count", [5, 200, 900, 1_000])
def test_each_way_of_scanning_finds_the_same(metric: Metric, queries: int, count: int) -> None:
    positions = np.sort(np.random.default_rng(0).choice(1_000, count, replace=False))
    asked = clustered(queries, 8, seed=1)
    found = scan(asked, VECTORS, 5, Mask.of(1_000, positions), metric)
    scores = asked @ VECTORS[positions].T
    if metric == "l2":
        scores = -np.square(asked[:, None] - VECTORS[None, positions]).sum(axis=2)
    order = np.argsort(-scores, axis=1)[:, :5]
    np.testing.assert_array_equal(found.positions, positions[order])
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, order, 1), atol=1e-5)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_each_query_is_scored_with_its_own_vectors_and_missing_ones_come_last(
    metric: Metric,
) -> None:
    rng = np.random.default_rng(0)
    asked, at = clustered(7, 8, seed=1), rng.integers(0, 1_000, (7, 20))
    wanted = np.einsum("qd,qmd->qm", asked, VECTORS[at])
    if metric == "l2":
        wanted = -np.square(asked[:, None] - VECTORS[at]).sum(axis=2)
    at[2, 5:] = -1
    wanted[2, 5:] = -np.inf
    np.testing.assert_allclose(score_each(asked, VECTORS, at, metric), wanted, atol=1e-5)
