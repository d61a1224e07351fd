"""A view for searches: one state of an index, never changed in place."""

from dataclasses import dataclass

import numpy as np

from service.vectors.built import LEAST_ROWS, Built
from service.vectors.kinds import BuiltKind, IndexSpec, KindInUse, choose
from service.vectors.mask import Mask
from service.vectors.protocol import Rows
from service.vectors.segments import LivePart

_BUFFER_SHARE = 0.05  # of what is built; scanned in less time than the graph takes at 1 M x 64
_DEAD_SHARE = 0.2  # of what is built
_OUTGROWN = 4  # times the rows that lists and codes were made for


@dataclass(frozen=True)
class IndexView:
    """A built segment where there is one, and what came after it. Rows rise through both."""

    built: Built | None
    alive: Mask  # of the built segment
    buffer: LivePart

    def __len__(self) -> int:
        return self.alive.count + self.buffer.alive.count

    @property
    def parts(self) -> tuple[LivePart, ...]:
        """The segments, older first."""
        older = () if self.built is None else (LivePart(self.built, self.alive),)
        return (*older, self.buffer)

    @property
    def kind(self) -> KindInUse:
        """Return the kind of index that searches most of the rows."""
        return "exact" if self.built is None else self.built.kind

    @property
    def last(self) -> int:
        """The highest row, dead or alive; -1 without any."""
        return max((int(p.segment.rows[-1]) for p in self.parts if p.alive.size), default=-1)

    def after(self, row: int) -> tuple[LivePart, ...]:
        """The parts, with what is not above that row dead."""
        return tuple(part.after(row) for part in self.parts)

    def living_of(self, rows: Rows) -> Mask:
        """Return the rows among these, which rise, that can be found."""
        living = np.concatenate([p.segment.rows[p.alive.positions()] for p in self.parts])
        at = np.minimum(np.searchsorted(living, rows), max(len(living) - 1, 0))
        found = living[at] == rows if len(living) else np.zeros(len(rows), bool)
        return Mask.of(len(rows), np.flatnonzero(found))


@dataclass(frozen=True)
class SearchScope:
    """The rows that a view is asked for."""

    view: IndexView
    among: Rows
    parts: tuple[LivePart, ...]

    def of(self, view: IndexView, among: Rows) -> bool:
        """Return whether it is of this very view and these very rows."""
        return self.view is view and self.among is among


@dataclass(frozen=True)
class Plan:
    """The work that is due: a segment of this kind, anew or on what is built."""

    kind: KindInUse
    anew: bool


def due(spec: IndexSpec, view: IndexView) -> Plan | None:
    """Return what to build now, if anything."""
    kind = choose(spec, len(view))
    dead = view.alive.size - view.alive.count
    rotten = dead > _DEAD_SHARE * view.alive.size
    bound = max(spec.buffer_rows, _BUFFER_SHARE * view.alive.size)
    if not rotten and (kind == "exact" or view.buffer.alive.count <= bound):
        return None
    if kind != "exact" and len(view) < LEAST_ROWS[kind]:
        kind = "exact"
    if kind == "exact":
        return Plan(kind, anew=True) if view.built is not None else None
    return Plan(kind, anew=rotten or _unsuited(view, kind))


def _unsuited(view: IndexView, kind: BuiltKind) -> bool:
    if view.built is None or view.built.kind != kind:
        return True
    return len(view) > _OUTGROWN * view.built.suited_rows
