"""The graph itself, of enough rows that it is not passed by for an exact search."""

import numpy as np
import pytest

from service.vectors import IndexSpec, LocalIndex, Rows
from service.vectors.brute_force import scan
from service.vectors.mask import Mask
from tests.support.vectors import clustered

SIZE = 30_000
VECTORS = clustered(SIZE, 8, clusters=30)
QUERIES = clustered(40, 8, clusters=30, seed=1)


def unread(rows: Rows) -> np.ndarray:
    raise AssertionError("a graph has the vectors itself")


@pytest.fixture(scope="module")
def index() -> LocalIndex:
    built = LocalIndex(IndexSpec(8, "cosine", "hnsw", buffer_rows=1_000), fetch=unread)
    built.add(np.arange(SIZE), VECTORS)
    built.maintain()
    return built


def assert_near(index: LocalIndex, allowed: Rows, k: int) -> None:
    expected = scan(QUERIES, VECTORS, k, Mask.of(SIZE, allowed), "cosine")
    together = index.search(QUERIES, k, allowed)
    alone = [index.search(query[None], k, allowed) for query in QUERIES]
    for scores in (together.scores, np.concatenate([one.scores for one in alone])):
        assert (scores >= expected.scores[:, -1:] - 1e-6).mean() > 0.98
    assert np.isin(together.rows, allowed).all()


@pytest.mark.parametrize("k", [1, 10, 300])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.97, 1])
def test_neighbors_are_found_whatever_share_is_allowed(
    index: LocalIndex, share: float, k: int
) -> None:
    chosen = np.random.default_rng(0).choice(SIZE, int(share * SIZE), replace=False)
    assert_near(index, np.sort(chosen), k)


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_search_is_never_short_where_all_that_is_near_is_not_allowed(
    index: LocalIndex, share: float
) -> None:
    far = np.argsort(VECTORS @ QUERIES[0])[: int(share * SIZE)]
    for k in (10, 200):
        hits = index.search(QUERIES[:1], k, np.sort(far))
        expected = np.sort(VECTORS[far] @ QUERIES[0])[::-1][:k]
        assert hits.rows.shape == (1, k)
        assert (hits.rows >= 0).all()
        assert (hits.scores[0] >= expected[-1] - 1e-6).mean() > 0.9
