"""What the service asks of a vector index."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

Vectors = Float32[np.ndarray, "n d"]


@dataclass(frozen=True)
class Hits:
    """The nearest rows of each query, nearest first."""

    rows: Int64[np.ndarray, "q k"]
    scores: Float32[np.ndarray, "q k"]  # higher is nearer


@runtime_checkable
class VectorIndex(Protocol):
    """Vectors in rows, numbered from 0 in the order in which they were added.

    A score is the cosine where the metric is cosine, and the negative squared distance where it
    is l2, so that higher is nearer in either.
    """

    def __len__(self) -> int: ...

    def add(self, vectors: Vectors) -> None:
        """Append rows."""
        ...

    def search(self, queries: Vectors, k: int) -> Hits:
        """The min(k, len(self)) nearest rows of each query."""
        ...
