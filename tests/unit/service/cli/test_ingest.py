"""Batches into a collection."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import NamedTuple

import numpy as np
import pytest

from service.cli.ingest import Ingest, IngestSummary
from service.cli.sources.base import Made, RejectedInput
from service.collections import Collection, Library, NewItem
from tests.support.small_collections import DIMENSION, open_small, spec_of


class Thing(NamedTuple):
    id: str
    value: float = 1.0


@pytest.fixture
def cats(tmp_path: Path) -> Iterator[Collection]:
    library = Library(tmp_path, open_small, maintain_every_s=None)
    yield library.create(spec_of())[0]
    library.close()


def start(things: Sequence[Thing]) -> Callable[[], Made]:
    return lambda: [_made(thing) for thing in things]


def _made(thing: Thing) -> NewItem | RejectedInput:
    if thing.value < 0:
        return RejectedInput(thing.id, "negative")
    return NewItem(thing.id, np.full(DIMENSION, thing.value, np.float32))


def ingest(
    cats: Collection, *batches: Sequence[Thing], replace: bool = False, stop: Event | None = None
) -> tuple[IngestSummary, list[int]]:
    progress: list[int] = []
    return Ingest(cats, start, replace).run(batches, stop or Event(), progress.append), progress


def test_every_batch_is_put_and_reported(cats: Collection) -> None:
    tally, progress = ingest(cats, [Thing("a"), Thing("b")], [Thing("c")])
    assert cats.has(["a", "b", "c"]) == [True] * 3
    assert (tally.added, tally.present, tally.faults, tally.stopped) == (3, 0, [], False)
    assert progress == [2, 1]


def test_what_is_there_is_passed_over_and_not_made_again(cats: Collection) -> None:
    ingest(cats, [Thing("a")])
    made: list[str] = []

    def noting(things: Sequence[Thing]) -> Callable[[], Made]:
        made.extend(thing.id for thing in things)
        return start(things)

    tally = Ingest(cats, noting, replace=False).run([[Thing("a"), Thing("b")]], Event(), print)
    assert made == ["b"]
    assert (tally.added, tally.present) == (1, 1)


def test_what_is_there_can_be_replaced(cats: Collection) -> None:
    ingest(cats, [Thing("a")])
    tally, _ = ingest(cats, [Thing("a"), Thing("b")], replace=True)
    assert (tally.added, tally.replaced, tally.present) == (1, 1, 0)


def test_a_thing_that_cannot_be_made_costs_no_other(cats: Collection) -> None:
    tally, progress = ingest(cats, [Thing("a"), Thing("bad", -1), Thing("c")])
    assert tally.faults == [RejectedInput("bad", "negative")]
    assert cats.has(["a", "bad", "c"]) == [True, False, True]
    assert progress == [3]


def test_an_item_that_the_collection_refuses_costs_no_other(cats: Collection) -> None:
    things = [Thing("a"), Thing("zero", 0), Thing("x" * 5000), Thing("d"), Thing("nan", np.nan)]
    tally, progress = ingest(cats, things)
    assert cats.has(["a", "d"]) == [True, True]
    assert tally.added == 2
    reasons = {fault.id: fault.reason for fault in tally.faults}
    assert set(reasons) == {"zero", "x" * 5000, "nan"}
    assert "no direction" in reasons["zero"]
    assert progress == [5]


def test_an_id_that_is_no_text_is_a_fault(cats: Collection) -> None:
    """Linux allows such names of files."""
    tally, _ = ingest(cats, [Thing("a"), Thing("b\udcff.jpg")])
    assert tally.added == 1
    assert tally.faults == [RejectedInput("b\udcff.jpg", "id is not valid Unicode")]


def test_it_ends_after_the_batch_in_hand_and_goes_on_from_there(cats: Collection) -> None:
    stop = Event()
    stop.set()
    batches = [[Thing("a")], [Thing("b")], [Thing("c")]]
    tally, _ = ingest(cats, *batches, stop=stop)
    assert tally.stopped
    assert cats.has(["a", "b", "c"]) == [True, False, False]
    tally, _ = ingest(cats, *batches)
    assert (tally.added, tally.present, tally.stopped) == (2, 1, False)


def test_batches_are_begun_before_they_are_needed(cats: Collection) -> None:
    begun: list[str] = []
    waited: list[str] = []

    def noting(things: Sequence[Thing]) -> Callable[[], Made]:
        begun.append(things[0].id)

        def wait() -> Made:
            waited.append(f"{things[0].id} after {begun[-1]}")
            return start(things)()

        return wait

    batches = [[Thing(id_)] for id_ in "abcde"]
    Ingest(cats, noting, replace=False).run(batches, Event(), print)
    assert waited == ["a after c", "b after d", "c after e", "d after e", "e after e"]
