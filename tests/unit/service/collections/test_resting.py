"""Collections that are not used let go of their files, and take them up again."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from service.collections import Library
from service.collections.errors import UnknownCollection
from service.collections.library import room_for_collections
from service.errors import TooManyOpenFiles
from service.vectors.query import Search
from tests.support.small_collections import batch, drawn, found, open_small, spec_of
from tests.unit.service.collections.conftest import Opener

if sys.platform == "win32":
    pytest.skip("its handles are not counted", allow_module_level=True)

import resource

NAMES = [f"c{i}" for i in range(12)]


@pytest.fixture
def few(folder: Path) -> Iterator[Library]:
    """At most two collections stay open, and four until somebody looks after them."""
    library = Library(folder, open_small, maintain_every_s=None, most_open=2)
    yield library
    library.close()


def filled(library: Library) -> None:
    for name in NAMES:
        library.create(spec_of(name))[0].put(batch([name]))


def awake(library: Library) -> list[str]:
    return [name for name in NAMES if (one := library._open.get(name)) and one.is_open()]


def test_those_used_last_stay_open(few: Library) -> None:
    filled(few)
    assert awake(few) == NAMES[-4:]
    few.maintain()
    assert awake(few) == NAMES[-2:]
    assert found(few.get("c3")) == {"c3"}
    few.maintain()
    assert awake(few) == ["c3", "c11"]


def test_one_that_rests_is_as_it_was(few: Library) -> None:
    cats = few.create(spec_of())[0]
    cats.put(batch(["a", "b"], metadata={"x": 1}))
    before = cats.search(drawn(3), Search(9)), cats.facts().sequence, cats.get("a")
    assert cats.rest(saved=True)
    assert not cats.is_open()
    assert not cats.rest(saved=True)
    assert cats.is_there()
    assert (cats.search(drawn(3), Search(9)), cats.facts().sequence, cats.get("a")) == before
    cats.rest(saved=False)
    assert cats.put(batch(["c"])).sequence == 3
    cats.rest(saved=False)
    cats.maintain()
    assert not cats.is_open()
    assert found(cats) == {"a", "b", "c"}


def test_one_that_is_deleted_or_replaced_while_it_rests_is_gone(
    few: Library, open_library: Opener
) -> None:
    cats = few.create(spec_of())[0]
    cats.rest(saved=False)
    other = open_library()
    other.delete("cats")
    with pytest.raises(UnknownCollection):
        cats.facts()
    other.create(
        replace(spec_of(), created="2026-11-24T00:00:01+00:00")
    )  # perhaps in the same file
    with pytest.raises(UnknownCollection):
        cats.put(batch(["a"]))
    assert few.get("cats").facts().items == 0


def test_what_another_process_deleted_is_closed_when_it_is_looked_after(
    few: Library, open_library: Opener
) -> None:
    cats = few.create(spec_of())[0]
    found(cats)
    open_library().delete("cats")
    assert deleted_files()
    few.maintain()
    assert not deleted_files()
    with pytest.raises(UnknownCollection):
        found(cats)


def deleted_files() -> list[str]:
    if not Path("/proc/self/fd").exists():
        pytest.skip("/proc lists open files")
    held = []
    for handle in list(Path("/proc/self/fd").iterdir()):
        try:
            held.append(str(handle.readlink()))
        except OSError:
            continue
    return [one for one in held if "/collections/" in one and one.endswith("(deleted)")]


def test_one_that_is_in_use_does_not_rest(few: Library) -> None:
    cats = few.create(spec_of())[0]
    with cats._using():
        assert not cats.rest(saved=False)
    assert cats.rest(saved=False)


def test_many_threads_share_few_open_collections(few: Library) -> None:
    filled(few)

    def use(seed: int) -> None:
        chance = Random(seed)
        for turn in range(40):
            name = chance.choice(NAMES)
            if turn % 5 == 0:
                few.get(name).put(batch([f"{seed} {turn}"]))
            assert name in found(few.get(name), 1_000)
            if turn % 10 == 0:
                few.maintain()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(use, range(6)))
    few.maintain()
    assert len(awake(few)) <= 2


@contextmanager
def no_more_files() -> Iterator[None]:
    """As where the limit of open files is reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "ask",
    [
        lambda library: library.get("c5"),
        lambda library: library.get("c6").facts(),
        lambda library: library.get("c6").put(batch(["x"])),
        lambda library: library.create(spec_of("new")),
    ],
)
def test_too_few_handles_are_reported_and_damage_nothing(
    open_library: Opener, few: Library, ask: Callable[[Library], object]
) -> None:
    filled(few)
    library = open_library()
    library.get("c6").rest(saved=False)
    with no_more_files(), pytest.raises(TooManyOpenFiles):
        ask(library)
    assert found(library.get("c5")) == {"c5"}
    assert found(library.get("c6")) == {"c6"}


def test_the_limit_of_open_files_says_how_many_stay_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for limit, least, most in ((64, 1, 4), (256, 4, 10), (1_024, 15, 40)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, hard), hard))
            assert least <= room_for_collections() <= most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
