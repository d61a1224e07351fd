"""Threads and processes on one collection. Vectors say which version of an item they belong to."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from service.collections import Collection, NewItem, open_collection
from service.collections.errors import UnknownCollection
from service.collections.storage.connections import Connections
from service.vectors.filters import parse_filter
from service.vectors.query import Search
from tests.support.small_collections import DIMENSION, spec_of
from tests.unit.service.collections.conftest import Opener

IDS = [str(i) for i in range(40)]
ROUNDS = 25
KILLS = 5


def version(ids: list[str], number: int) -> list[NewItem]:
    """Items that lie at (number, id, 0, ...), and say so."""
    items = []
    for name in ids:
        vector = np.zeros(DIMENSION, np.float32)
        vector[:2] = number + 1, int(name)
        items.append(
            NewItem(name, vector, metadata={"version": number, "even": int(name) % 2 == 0})
        )
    return items


def run_all(*work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(len(work)) as pool:
        running: list[Future[object]] = [pool.submit(one) for one in work]
        for one in running:
            one.result(timeout=120)


def test_searches_beside_writers_find_whole_items_and_all_of_them(open_library: Opener) -> None:
    mine, theirs = open_library(), open_library()
    points = mine.create(spec_of("points", "l2"))[0]
    points.put(version(IDS, 0))
    done = Event()

    def replace_all(collection: Collection) -> None:
        try:
            for number in range(1, ROUNDS):
                collection.put(version(IDS, number))
        finally:
            done.set()

    def look(collection: Collection, where: object, n: int) -> None:
        query = Search(10 * len(IDS), where=parse_filter(where))
        while not done.is_set():
            for hits in collection.search(np.ones((2, DIMENSION), np.float32), query):
                assert len({hit.item.id for hit in hits}) == len(hits) == n
                for hit in hits:
                    at = np.zeros(DIMENSION)
                    at[:2] = int(hit.item.metadata["version"] or 0) + 1, int(hit.item.id)
                    assert hit.score == pytest.approx(-np.square(at - 1).sum(), rel=1e-5)

    run_all(
        lambda: replace_all(points),
        lambda: look(points, {}, len(IDS)),
        lambda: look(points, {"even": True}, len(IDS) // 2),
        lambda: look(theirs.get("points"), {}, len(IDS)),
        lambda: look(theirs.get("points"), {"even": {"in": [False]}}, len(IDS) // 2),
    )


def test_writers_of_several_processes_lose_nothing(open_library: Opener) -> None:
    libraries = [open_library() for _ in range(3)]
    libraries[0].create(spec_of("points", "l2"))

    def write(writer: int) -> None:
        collection = libraries[writer % 3].get("points")
        for step in range(10):
            ids = [str(1000 * writer + 10 * step + i) for i in range(10)]
            receipt = collection.put(version(ids, writer))
            assert collection.has(ids) == [True] * 10
            assert receipt.sequence >= 10 * (step + 1)
            collection.delete(ids[0])

    run_all(*(lambda writer=writer: write(writer) for writer in range(6)))
    facts = libraries[1].get("points").facts()
    assert (facts.items, facts.sequence) == (540, 660)
    hits = libraries[2].get("points").search(np.ones((1, DIMENSION), np.float32), Search(1000))
    assert len(hits[0]) == 540


def test_a_collection_may_be_deleted_while_it_is_used(open_library: Opener) -> None:
    mine, theirs = open_library(), open_library()
    mine.create(spec_of("points", "l2"))

    def use(library_of: Opener) -> None:
        for number in range(30):
            try:
                collection = library_of().get("points")
                collection.put(version(IDS[:3], number))
                collection.search(np.ones((1, DIMENSION), np.float32), Search(5))
            except UnknownCollection:
                continue

    def come_and_go() -> None:
        for _ in range(10):
            mine.delete("points")
            mine.create(spec_of("points", "l2"))

    run_all(lambda: use(lambda: mine), lambda: use(lambda: theirs), come_and_go)
    last = mine.get("points")
    last.put(version(IDS, 0))
    assert theirs.get("points").has(IDS) == [True] * len(IDS)


def test_one_that_is_deleted_while_it_is_opened_is_gone(
    open_library: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = open_library(), open_library()
    mine.create(spec_of("points", "l2"))

    class Overtaken(Connections):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder)
            mine.delete("points")

    monkeypatch.setattr(open_collection, "Connections", Overtaken)
    with pytest.raises(UnknownCollection):
        theirs.get("points")


CHILD = """
import sys
from pathlib import Path
from service.collections import Library
from tests.support.small_collections import open_small
from tests.unit.service.collections.test_concurrency import version
library = Library(Path(sys.argv[1]), open_small, maintain_every_s=None)
points = library.get("points")
for number in range(int(sys.argv[2]), 10**6):
    new = [str(1000 * number + i) for i in range(20)]
    points.put(version(["1", "2", "3", *new], number))
    print(number, flush=True)
"""


def test_what_was_acknowledged_outlives_a_kill_and_nothing_is_half_there(
    open_library: Opener, folder: Path
) -> None:
    library = open_library()
    points = library.create(spec_of("points", "l2"))[0]
    chance = np.random.default_rng()
    first = 0
    for _ in range(KILLS):
        acknowledged = killed_after(folder, first, wanted=int(chance.integers(1, 40)))
        check_whole(points, first, acknowledged)
        first = acknowledged + 2  # one more may be there whole


def killed_after(folder: Path, first: int, wanted: int) -> int:
    """The last batch that a process acknowledged before it was killed, soon after `wanted`."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout as output:
        for _ in range(wanted):
            last = int(output.readline())
        os.kill(child.pid, signal.SIGKILL)
        rest = output.read().split()
    child.wait()
    return int(rest[-1]) if rest else last


def check_whole(points: Collection, first: int, acknowledged: int) -> None:
    for number in range(first, acknowledged + 2):
        there = points.has([str(1000 * number + i) for i in range(20)])
        assert all(there) or (number > acknowledged and not any(there))
    shown = {points.get(name).metadata["version"] for name in ("1", "2", "3")}
    assert shown <= {acknowledged, acknowledged + 1}
    assert len(shown) == 1
    hits = points.search(np.zeros((1, DIMENSION), np.float32), Search(10**6))[0]
    assert len(hits) == points.facts().items
    assert {hit.item.id for hit in hits} >= {"1", "2", "3"}
