"""An audit of a collection, from its vectors and labels: copies, labels, outliers."""

import math
from dataclasses import dataclass
from threading import Lock
from time import monotonic

import numpy as np
from jaxtyping import Float32, Int64

from models.audit.confident import find_label_errors
from models.audit.neighbors import FAR_NEIGHBORS, Neighbors, far_out, nearest, voters
from models.manifest import Metric
from service.collections.collection import Collection
from service.collections.errors import AuditBusy, NoLabels, OneLabel, TooLargeToAudit
from service.collections.storage.reads import LabeledRow
from service.errors import DeadlineExceeded
from service.vectors.protocol import Vectors

MOST_ITEMS = 20_000
"""Compared with one another: 8 s of one core for 128 dimensions."""
_COPY_COSINE = 0.9999
_COPY_SHARE = math.sqrt(2 * (1 - _COPY_COSINE))  # the same angle as a share of the vectors' length
_KEPT = 32  # collections whose latest audit is remembered


@dataclass(frozen=True)
class CopyFinding:
    """Two items with nearly the same vector, the later one first."""

    id: str
    other: str
    distance: float  # 1 - cosine, or Euclidean
    same_label: bool


@dataclass(frozen=True)
class LabelFinding:
    """A label, the likely better one, and the share of neighbors that have the given one."""

    id: str
    label: str
    suggested: str
    confidence: float
    probable: bool


@dataclass(frozen=True)
class OutlierFinding:
    """An item far from all others."""

    id: str
    distance: float  # mean of the nearest ten, 1 - cosine or Euclidean


@dataclass(frozen=True)
class CollectionAudit:
    """All findings of one state of a collection, the clearest first."""

    sequence: int
    items: int
    labeled: int
    labels: tuple[str, ...]
    neighbors: int  # that voted on each label
    copies: tuple[CopyFinding, ...]
    wrong: tuple[LabelFinding, ...]  # all labeled items, the least likely label first
    outliers: tuple[OutlierFinding, ...]

    @property
    def probable(self) -> int:
        """Count the probable label errors."""
        return sum(one.probable for one in self.wrong)


class Audits:
    """Makes audits, one at a time, and remembers each collection's latest."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._running = Lock()
        self._known: dict[str, CollectionAudit] = {}

    def of(self, collection: Collection) -> CollectionAudit:
        """Audit the collection, unless its latest audit is of the same sequence.

        Raises NoLabels, OneLabel, TooLargeToAudit, AuditBusy, DeadlineExceeded.
        """
        key, sequence, items = collection.spec.key, *collection.counts()
        known = self._known.get(key)
        if known is not None and known.sequence == sequence:
            return known
        if items > MOST_ITEMS:
            raise TooLargeToAudit(collection.spec.name, items, MOST_ITEMS)
        if not self._running.acquire(blocking=False):
            raise AuditBusy
        try:
            made = _Making(collection, monotonic() + self._deadline_s, self._deadline_s).audit()
            self._known.pop(key, None)
            self._known[key] = made
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
            return made
        finally:
            self._running.release()


@dataclass
class _Making:
    collection: Collection
    until: float
    deadline_s: float

    def audit(self) -> CollectionAudit:
        sequence, rows, vectors = self.collection.labeled()
        name = self.collection.spec.name
        labeled = np.array([row.label is not None for row in rows], bool)
        labels = tuple(sorted({row.label for row in rows if row.label is not None}))
        if not labels:
            raise NoLabels(name)
        if len(labels) == 1:
            raise OneLabel(name, labels[0])
        if len(rows) > MOST_ITEMS:  # more were put since they were counted
            raise TooLargeToAudit(name, len(rows), MOST_ITEMS)
        voting = voters(int(labeled.sum()), len(labels))
        metric = self.collection.spec.metric
        near = nearest(vectors, max(voting, FAR_NEIGHBORS), metric, self._in_time)
        copy = _copy_distance(vectors, metric)
        return CollectionAudit(
            sequence=sequence,
            items=len(rows),
            labeled=int(labeled.sum()),
            labels=labels,
            neighbors=voting,
            copies=_copies(rows, near, copy),
            wrong=self._wrong(rows, vectors, labels, copy),
            outliers=_outliers(rows, near),
        )

    def _wrong(
        self, rows: list[LabeledRow], vectors: Vectors, labels: tuple[str, ...], copy: float
    ) -> tuple[LabelFinding, ...]:
        """Items without a label have no vote, so neighbors are sought among the others."""
        kept = np.array([place for place, row in enumerate(rows) if row.label is not None])
        number = {label: place for place, label in enumerate(labels)}
        given = np.array([number[rows[place].label or ""] for place in kept], np.int64)
        metric = self.collection.spec.metric
        near = nearest(vectors[kept], voters(len(kept), len(labels)), metric, self._in_time)
        found = find_label_errors(given, near.probabilities(given, len(labels), copy))
        return tuple(
            LabelFinding(
                id=rows[kept[place]].id,
                label=labels[given[place]],
                suggested=labels[found.suggested[place]],
                confidence=float(found.confidence[place]),
                probable=bool(found.probable[place]),
            )
            for place in found.ranked.tolist()
        )

    def _in_time(self, _: int) -> None:
        if monotonic() > self.until:
            raise DeadlineExceeded(self.deadline_s)


def _copy_distance(vectors: Vectors, metric: Metric) -> float:
    if metric == "cosine":
        return 1 - _COPY_COSINE
    return _COPY_SHARE * float(np.median(np.linalg.norm(vectors, axis=1)))


def _copies(rows: list[LabeledRow], near: Neighbors, copy: float) -> tuple[CopyFinding, ...]:
    """Each item once, with the nearest of those before it."""
    found: list[tuple[float, int, int]] = []
    places: Int64[np.ndarray, " n"]
    distances: Float32[np.ndarray, " n"]
    for place, (places, distances) in enumerate(zip(near.rows, near.distances, strict=True)):
        earlier = np.flatnonzero((distances <= copy) & (places < place))
        if len(earlier):
            found.append((float(distances[earlier[0]]), place, int(places[earlier[0]])))
    return tuple(
        CopyFinding(
            id=rows[place].id,
            other=rows[other].id,
            distance=distance,
            same_label=rows[place].label == rows[other].label,
        )
        for distance, place, other in sorted(found)
    )


def _outliers(rows: list[LabeledRow], near: Neighbors) -> tuple[OutlierFinding, ...]:
    if near.rows.shape[1] == 0 or len(rows) <= FAR_NEIGHBORS:
        return ()
    remote = near.remoteness()
    places = np.flatnonzero(far_out(remote))
    order = places[np.argsort(-remote[places], kind="stable")]
    return tuple(OutlierFinding(rows[place].id, float(remote[place])) for place in order.tolist())
