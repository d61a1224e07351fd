"""A search over several segments, each with what is dead in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from service.vectors.brute_force import Nearest
from service.vectors.mask import Mask, Positions
from service.vectors.protocol import Hits, Queries, Rows, Vectors
from service.vectors.topk import NOBODY, nearest


@runtime_checkable
class Segment(Protocol):
    """Vectors that never change, by position; their rows rise."""

    @property
    def rows(self) -> Rows:
        """The row at each position."""
        ...

    def vectors(self, positions: Positions) -> Vectors:
        """The exact vectors; NaN where nobody has one any more."""
        ...

    def search(self, queries: Queries, k: int, mask: Mask) -> Nearest:
        """The k nearest of the positions that are in, of which there are at least k."""
        ...


@dataclass(frozen=True)
class LivePart:
    """A segment, and which of its positions can be found."""

    segment: Segment
    alive: Mask

    def find(self, rows: Rows) -> Positions:
        """The living positions of these rows, which rise; unknown rows are left out."""
        here = self.segment.rows
        at = np.searchsorted(here, rows)
        inside = at < len(here)
        at = at[inside][here[at[inside]] == rows[inside]]
        living: Positions = at[self.alive.holds(at)]
        return living

    def without(self, rows: Rows) -> "LivePart":
        """With these rows dead."""
        return LivePart(self.segment, self.alive.without(self.find(rows)))

    def after(self, row: int) -> "LivePart":
        """With all up to this row dead."""
        positions = self.alive.positions()
        positions = positions[np.searchsorted(self.segment.rows[positions], row, "right") :]
        return LivePart(self.segment, Mask.of(self.alive.size, positions))

    def among(self, rows: Rows | None) -> Mask:
        """Return the searchable rows among these; among all where None is given."""
        if rows is None:
            return self.alive
        return Mask.of(len(self.segment.rows), self.find(rows))


def narrowed(parts: Sequence[LivePart], among: Rows | None) -> tuple[LivePart, ...]:
    """The parts, with what is not in `among` dead where that is given; without those of no use."""
    left = (LivePart(part.segment, part.among(among)) for part in parts)
    return tuple(part for part in left if part.alive.count)


def search(parts: Sequence[LivePart], queries: Queries, k: int) -> Hits:
    """The min(k, n) nearest of the n living rows of these parts, each of which has some."""
    k = min(k, sum(part.alive.count for part in parts))
    if k <= 0 or len(queries) == 0:
        nothing = (len(queries), max(k, 0))
        return Hits(np.empty(nothing, np.int64), np.empty(nothing, np.float32))
    hits = [_hits(part, queries, k) for part in parts]
    return hits[0] if len(hits) == 1 else nearest(hits, k)


def _hits(part: LivePart, queries: Queries, k: int) -> Hits:
    found = part.segment.search(queries, min(k, part.alive.count), part.alive)
    missing = found.positions < 0  # FAISS's sign that it found too few; as a row, the last one
    if missing.any():
        rows = np.where(missing, NOBODY, part.segment.rows[found.positions])
        return Hits(rows, np.where(missing, np.float32(-np.inf), found.scores))
    return Hits(part.segment.rows[found.positions], found.scores)
