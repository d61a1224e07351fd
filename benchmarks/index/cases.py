"""Cases of a search: among everything, after deletions, through a filter."""

from dataclasses import dataclass
from typing import Literal

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Int64

from benchmarks.index.spread import Vectors

Rows = Int64[np.ndarray, " n"]
How = Literal["all", "removed", "among"]
_SEED = 5
_BLOCK = 200_000
# Two of FAISS's kernels round one inner product differently by less than this (unit length, d 64).
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Case:
    """A share of the rows counts; the rest was removed, or a filter leaves it out."""

    name: str
    title: str
    how: How
    share: float

    def kept(self, size: int) -> Bool[np.ndarray, " n"]:
        """Return the rows that count."""
        if self.how == "all":
            return np.ones(size, np.bool_)
        return np.random.default_rng((_SEED, size)).random(size) < self.share


# Removing comes last: it cannot be taken back.
CASES = (
    Case("plain", "all items", "all", 1.0),
    Case("half", "filter: 50 % of the items", "among", 0.5),
    Case("hundredth", "filter: 1 % of the items", "among", 0.01),
    Case("tombstones", "5 % of the items deleted", "removed", 0.95),
)


@dataclass(frozen=True)
class Truth:
    """The score of each query's k-th best row, found by comparing with every row."""

    kth: Float32[np.ndarray, " q"]
    k: int  # less than was asked for where fewer rows count

    def recall(
        self, queries: Vectors, vectors: Vectors, rows: Int64[np.ndarray, "q k"], kept: Rows
    ) -> float:
        """The share of the k best that are in `rows`; rows that do not count are no hits.

        Scores are computed anew from `vectors`, and what scores as the k-th best does is as good.
        """
        allowed = np.zeros(len(vectors) + 1, np.bool_)  # the last place is for -1, which is none
        allowed[kept] = True
        scores = np.einsum("qd,qkd->qk", queries[: len(rows)], vectors[rows])
        good = allowed[rows] & (scores >= self.kth[: len(rows), None] - _ROUNDING)
        return float(good.sum() / (len(rows) * self.k))


def find_truth(vectors: Vectors, queries: Vectors, kept: Rows, k: int) -> Truth:
    """By exact search, a block of rows at a time."""
    best = np.full((len(queries), 0), -np.inf, np.float32)
    for start in range(0, len(kept), _BLOCK):
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors[kept[start : start + _BLOCK]])
        scores, _ = flat.search(queries, min(k, flat.ntotal))
        best = -np.sort(-np.concatenate([best, scores], axis=1), axis=1)[:, :k]
    return Truth(best[:, -1], best.shape[1])
