"""The protocol of a vector index."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

Vectors = Float32[np.ndarray, "n d"]
Queries = Float32[np.ndarray, "q d"]
Rows = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class Hits:
    """The nearest rows of each query, nearest first."""

    rows: Int64[np.ndarray, "q k"]
    scores: Float32[np.ndarray, "q k"]  # higher is nearer


@runtime_checkable
class VectorIndex(Protocol):
    """Vectors by row: a number from 0 that the caller chooses once and never uses again.

    A score is the cosine where the metric is cosine, and the negative squared distance where it
    is l2, so that higher is nearer in either. Every method may be called from any thread; searches
    run at once, with each other and with one writer, and a search sees a write wholly or not at
    all.

    >>> from service.vectors.exact import ExactIndex
    >>> index: VectorIndex = ExactIndex(2, "cosine")
    >>> index.add(np.array([0, 7]), np.array([[1, 0], [0, 1]], np.float32))
    >>> hits = index.search(np.array([[0, 1]], np.float32), k=2)
    >>> hits.rows.tolist(), hits.scores.tolist()
    ([[7, 0]], [[1.0, 0.0]])
    >>> index.remove(np.array([7]))
    >>> index.search(np.array([[0, 1]], np.float32), k=2).rows.tolist()
    [[0]]
    """

    def __len__(self) -> int:
        """Count the rows that can be found."""
        ...

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Make rows findable; every row is greater than all that were added before."""
        ...

    def remove(self, rows: Rows) -> None:
        """Make rows unfindable; unknown rows are passed over."""
        ...

    def search(self, queries: Queries, k: int, among: Rows | None = None) -> Hits:
        """The min(k, n) nearest rows of each query, n rows being findable.

        With `among`, only its rows are looked at, and n is how many of them are findable; it is
        sorted and holds each row once.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds; nothing is called after it."""
        ...
