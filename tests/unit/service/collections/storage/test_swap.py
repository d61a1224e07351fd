"""One collection in the place of another, whatever happens on the way."""

from pathlib import Path
from threading import Thread

import pytest

from service.collections import Collection, Library
from service.collections.errors import UnknownCollection
from service.collections.storage.swap import recover, replacing
from tests.support.small_collections import batch, open_small, spec_of
from tests.unit.service.collections.conftest import Opener


@pytest.fixture
def cats(library: Library) -> Collection:
    collection, _ = library.create(spec_of())
    collection.put(batch(["old"]))
    return collection


@pytest.fixture
def successor(tmp_path: Path) -> Path:
    """A folder with a closed collection of other items."""
    folder = tmp_path / "successors"
    library = Library(folder, open_small, maintain_every_s=None)
    library.create(spec_of())[0].put(batch(["new"]))
    library.close()
    return folder / "cats"


def test_every_process_finds_the_new_one(
    cats: Collection, open_library: Opener, library: Library, folder: Path, successor: Path
) -> None:
    other = open_library()
    assert other.get("cats").has(["old"]) == [True]
    with replacing(folder, "cats") as exchange:
        exchange(successor)
    for each in (library, other, open_library()):
        assert each.get("cats").has(["old", "new"]) == [False, True]
    assert not successor.exists()
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "cats"]


def test_what_is_put_meanwhile_is_refused_and_never_lost_silently(
    cats: Collection, library: Library, folder: Path, successor: Path
) -> None:
    refused = []

    def put() -> None:
        try:
            cats.put(batch(["late"]))
        except UnknownCollection as error:
            refused.append(error)

    with replacing(folder, "cats") as exchange:
        writer = Thread(target=put)
        writer.start()
        exchange(successor)
    writer.join()
    assert len(refused) == 1
    library.get("cats").put(batch(["late"]))
    assert library.get("cats").has(["new", "late"]) == [True, True]


def test_a_block_that_fails_leaves_the_old_one(
    cats: Collection, folder: Path, successor: Path
) -> None:
    with pytest.raises(RuntimeError, match="no"), replacing(folder, "cats"):
        raise RuntimeError("no")
    cats.put(batch(["more"]))
    assert cats.has(["old", "more"]) == [True, True]


def test_a_folder_that_cannot_be_moved_leaves_the_old_one(
    cats: Collection, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError), replacing(folder, "cats") as exchange:
        exchange(tmp_path / "nothing")
    cats.put(batch(["more"]))
    assert cats.has(["old", "more"]) == [True, True]


def test_a_replacing_that_was_cut_off_before_its_end_is_undone(
    cats: Collection, library: Library, folder: Path
) -> None:
    (folder / "cats").rename(folder / ".old-cats")  # killed here
    assert library.get("cats").has(["old"]) == [True]


def test_a_replacing_that_was_cut_off_after_its_end_stays_done(
    cats: Collection, library: Library, folder: Path, successor: Path
) -> None:
    (folder / "cats").rename(folder / ".old-cats")
    successor.rename(folder / "cats")  # killed here
    recover(folder)
    assert library.get("cats").has(["old", "new"]) == [False, True]
    assert not (folder / ".old-cats").exists()


def test_no_other_takes_the_place_of_one_that_can_be_put_back(
    cats: Collection, open_library: Opener, folder: Path
) -> None:
    other = open_library()
    (folder / "cats").rename(folder / ".old-cats")
    collection, made = other.create(spec_of())
    assert not made
    assert collection.has(["old"]) == [True]
