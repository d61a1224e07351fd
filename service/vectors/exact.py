"""Exact search in memory."""

from threading import Lock

import numpy as np

from models.manifest import Metric
from service.vectors.buffer import Buffer
from service.vectors.lengths import comparable
from service.vectors.protocol import Hits, Queries, Rows, Vectors
from service.vectors.segments import narrowed, search


class ExactIndex:
    """The VectorIndex that compares each query with every row: for what is small."""

    def __init__(self, dimension: int, metric: Metric) -> None:
        self._metric = metric
        self._writing = Lock()
        self._buffer = Buffer(dimension, metric)

    def __len__(self) -> int:
        return self._buffer.part.alive.count

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Make rows findable; every row is greater than all that were added before."""
        with self._writing:
            self._buffer.append(rows, comparable(vectors, self._metric))

    def remove(self, rows: Rows) -> None:
        """Make rows unfindable; unknown rows are passed over."""
        with self._writing:
            self._buffer.remove(np.unique(rows))

    def search(self, queries: Queries, k: int, among: Rows | None = None) -> Hits:
        """The min(k, n) nearest rows of each query."""
        return search(narrowed((self._buffer.part,), among), comparable(queries, self._metric), k)

    def close(self) -> None:
        """Nothing is held but memory."""
