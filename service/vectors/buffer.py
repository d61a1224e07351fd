"""A segment in memory that grows, searched exactly."""

from dataclasses import dataclass

import numpy as np

from models.manifest import Metric
from service.vectors.brute_force import Nearest, scan
from service.vectors.mask import Mask, Positions
from service.vectors.protocol import Queries, Rows, Vectors
from service.vectors.segments import LivePart

_LEAST_CAPACITY = 1024
_DEAD_SHARE = 0.2  # more than that, and the dead are taken out


@dataclass(frozen=True)
class PlainSegment:
    """Vectors in memory as they are."""

    rows: Rows
    values: Vectors
    metric: Metric

    def vectors(self, positions: Positions) -> Vectors:
        """The vectors at these positions."""
        taken: Vectors = self.values[positions]
        return taken

    def search(self, queries: Queries, k: int, mask: Mask) -> Nearest:
        """Compare each query with every vector that is in."""
        return scan(queries, self.values, k, mask, self.metric)


class Buffer:
    """Appends behind what it has given out, which therefore never changes. One writer at a time."""

    def __init__(self, dimension: int, metric: Metric) -> None:
        self._metric = metric
        self._rows = np.empty(0, np.int64)
        self._vectors = np.empty((0, dimension), np.float32)
        self.part = self._whole(0)

    def append(self, rows: Rows, vectors: Vectors) -> None:
        """Take rows that rise above all that it has."""
        size = self.part.alive.size
        longer = size + len(rows)
        if longer > len(self._rows):
            self._move(np.arange(size), longer)
        self._rows[size:longer] = rows
        self._vectors[size:longer] = vectors
        self.part = LivePart(self._whole(longer).segment, self.part.alive.extended(len(rows)))

    def remove(self, rows: Rows) -> None:
        """Make rows dead; unknown rows are passed over."""
        self.part = self.part.without(rows)
        alive = self.part.alive
        if alive.size - alive.count > _DEAD_SHARE * alive.size:
            self._move(alive.positions(), alive.count)
            self.part = self._whole(alive.count)

    def _move(self, kept: Positions, needed: int) -> None:
        """To new memory: readers go on with the old. Unwritten memory costs nothing."""
        capacity = max(_LEAST_CAPACITY, 2 * needed)
        rows = np.empty(capacity, np.int64)
        vectors = np.empty((capacity, self._vectors.shape[1]), np.float32)
        rows[: len(kept)], vectors[: len(kept)] = self._rows[kept], self._vectors[kept]
        self._rows, self._vectors = rows, vectors

    def _whole(self, size: int) -> LivePart:
        plain = PlainSegment(self._rows[:size], self._vectors[:size], self._metric)
        return LivePart(plain, Mask.whole(size))
