"""The evaluations of collections, kept for as long as nothing is written."""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic, thread_time

from service.collections.collection import Collection
from service.collections.errors import NoLabels, OneLabel
from service.collections.labels.evaluation import MOST_ITEMS, Evaluation, evaluate

_KEPT = 32  # collections
_QUICK_S = 0.1
_PAUSES = 10  # times as long as it took an evaluation stays, for classifying


@dataclass
class _Slot:
    """One collection's evaluation; one thread makes it while others wait."""

    lock: Lock = field(default_factory=Lock)
    evaluation: Evaluation | None = None
    made: float = 0.0
    took_s: float = 0.0


class Evaluations:
    """Those of one process, at most 32. Its methods work: call them on a thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._slots: OrderedDict[str, _Slot] = OrderedDict()

    def current(self, collection: Collection) -> Evaluation:
        """The evaluation of the collection as it is. Raises NoLabels and OneLabel."""
        slot = self._slot(collection)
        with slot.lock:
            return self._renewed(slot, collection, collection.sequence())

    def recent(self, collection: Collection) -> Evaluation:
        """The same, or one from before the last writes where making it takes long.

        So a client that writes and classifies in turn does not have all items compared each time.
        """
        slot = self._slot(collection)
        with slot.lock:
            kept = slot.evaluation
            waits = slot.took_s > _QUICK_S and monotonic() - slot.made < _PAUSES * slot.took_s
            if kept is not None and waits:
                return kept
            return self._renewed(slot, collection, collection.sequence())

    def _slot(self, collection: Collection) -> _Slot:
        with self._lock:
            slot = self._slots.setdefault(collection.spec.key, _Slot())
            self._slots.move_to_end(collection.spec.key)
            while len(self._slots) > _KEPT:
                self._slots.popitem(last=False)
            return slot

    def _renewed(self, slot: _Slot, collection: Collection, sequence: int) -> Evaluation:
        kept = slot.evaluation
        if kept is not None and kept.sequence == sequence:
            return kept
        started = thread_time()
        found = collection.labeled_sample(MOST_ITEMS)
        if not found.names:
            raise NoLabels(collection.spec.name)
        if len(found.names) == 1:
            raise OneLabel(collection.spec.name, found.names[0])
        slot.evaluation = evaluate(found, collection.spec.metric)
        slot.made, slot.took_s = monotonic(), thread_time() - started
        return slot.evaluation
