"""Batches into a collection: existing ones are passed over, what cannot be taken is noted."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Generic, NamedTuple

from reports.progress import Advance
from service.cli.sources.base import Made, RejectedInput, Start, T
from service.collections import Collection, NewItem
from service.collections.validation import id_problem
from service.vectors.errors import InvalidItems

_AHEAD = 2  # batches that are made while one is written


@dataclass
class IngestSummary:
    """The fate of the items, counted."""

    added: int = 0
    replaced: int = 0
    present: int = 0  # there already, and passed over
    faults: list[RejectedInput] = field(default_factory=list)
    stopped: bool = False  # before the end, because that was wanted


@dataclass(frozen=True)
class Ingest(Generic[T]):
    """Puts items into a collection, batch after batch; each is durable before the next is put."""

    collection: Collection
    start: Start[T]
    replace: bool  # also what is there already

    def run(self, batches: Iterable[Sequence[T]], stop: Event, advance: Advance) -> IngestSummary:
        """Go on to the end, or until `stop` is set."""
        tally = IngestSummary()
        for step in _ahead(map(self._begin, batches)):
            made = step.wait()
            tally.present += step.present
            tally.faults += step.faults
            tally.faults += [one for one in made if isinstance(one, RejectedInput)]
            self._put([one for one in made if isinstance(one, NewItem)], tally)
            advance(step.present + len(step.faults) + len(made))
            if stop.is_set():
                tally.stopped = True
                break
        return tally

    def _begin(self, batch: Sequence[T]) -> "_Step":
        problems = {one.id: why for one in batch if (why := id_problem(one.id))}
        good = [one for one in batch if one.id not in problems]
        there = self._there([one.id for one in good])
        wanted = [one for one, known in zip(good, there, strict=True) if not known]
        faults = [RejectedInput(*problem) for problem in problems.items()]
        return _Step(self.start(wanted), len(good) - len(wanted), faults)

    def _there(self, ids: Sequence[str]) -> Sequence[bool]:
        return [False] * len(ids) if self.replace else self.collection.has(ids)

    def _put(self, items: list[NewItem], tally: IngestSummary) -> None:
        if not items:
            return
        try:
            replaced = sum(self.collection.put(items).replaced)
        except InvalidItems as error:
            self._put_good(items, set(error.indexes), tally)
        else:
            tally.replaced += replaced
            tally.added += len(items) - replaced

    def _put_good(self, items: list[NewItem], bad: set[int], tally: IngestSummary) -> None:
        for i in sorted(bad):
            try:
                self.collection.put([items[i]])
            except InvalidItems as error:
                tally.faults.append(RejectedInput(items[i].id, str(error).removeprefix("item 0: ")))
        self._put([one for i, one in enumerate(items) if i not in bad], tally)


class _Step(NamedTuple):
    wait: Callable[[], Made]
    present: int
    faults: list[RejectedInput]


def _ahead(steps: Iterator[_Step]) -> Iterator[_Step]:
    """The same steps, each begun when the one `_AHEAD` before it is asked for."""
    begun: deque[_Step] = deque()
    for step in steps:
        begun.append(step)
        if len(begun) > _AHEAD:
            yield begun.popleft()
    yield from begun
