import hashlib
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.collections import Backup, Library, NewItem, Search, parse_filter, restore
from service.collections.errors import BackupRefused, InvalidCollectionName
from tests.unit.service.collections.conftest import Opener
from tests.unit.service.collections.small import batch, drawn, spec_of


@pytest.fixture
def backup(library: Library, tmp_path: Path) -> Backup:
    cats = library.create(spec_of())[0]
    cats.put(batch([str(i) for i in range(30)], metadata={"year": 2020}))
    cats.put([NewItem("pictured", drawn(1, 9)[0], "cat", image=b"image", thumbnail=b"thumb")])
    cats.delete("3")
    return cats.backup(tmp_path / "backups")


def test_a_backup_says_what_it_holds(backup: Backup) -> None:
    content = backup.path.read_bytes()
    assert backup.path.name == "cats-32.sqlite"
    assert (backup.sequence, backup.items, backup.size_bytes) == (32, 30, len(content))
    assert backup.sha256 == hashlib.sha256(content).hexdigest()
    beside = backup.path.with_name("cats-32.sqlite.sha256")
    assert beside.read_text() == f"{backup.sha256}  cats-32.sqlite\n"
    assert set(backup.path.parent.iterdir()) == {backup.path, beside}


def test_a_backup_at_the_same_sequence_takes_the_others_place(
    library: Library, backup: Backup
) -> None:
    again = library.get("cats").backup(backup.path.parent)
    assert again.path == backup.path
    assert len(list(backup.path.parent.iterdir())) == 2
    restore(again.path, backup.path.parent.parent / "elsewhere", "cats")


def test_a_backup_that_fails_leaves_nothing(library: Library, tmp_path: Path) -> None:
    cats = library.create(spec_of())[0]
    (tmp_path / "backups" / "cats-0.sqlite").mkdir(parents=True)
    with pytest.raises(OSError, match="cats-0"):
        cats.backup(tmp_path / "backups")
    assert [path.name for path in (tmp_path / "backups").iterdir()] == ["cats-0.sqlite"]


def test_a_restored_collection_is_the_one_that_was_copied(
    library: Library, open_library: Opener, backup: Backup, folder: Path
) -> None:
    cats = library.get("cats")
    whole = cats.search(drawn(2), Search(100))
    cats.put(batch(["later"]))
    spec = restore(backup.path, folder, "dogs")
    dogs = open_library().get("dogs")
    assert spec == dogs.spec == replace(spec_of("dogs"), created=spec.created)
    assert dogs.search(drawn(2), Search(100)) == whole
    assert dogs.image("pictured") == b"image"
    assert len(dogs.search(drawn(1), Search(99, where=parse_filter({"year": 2020})))[0]) == 29
    assert dogs.put(batch(["new"])).sequence == 33
    assert np.array_equal(dogs.vectors(["5"]), cats.vectors(["5"]))


def test_nothing_is_restored_over_a_collection(
    library: Library, backup: Backup, folder: Path
) -> None:
    with pytest.raises(BackupRefused, match="already"):
        restore(backup.path, folder, "cats")
    with pytest.raises(InvalidCollectionName):
        restore(backup.path, folder, "../cats")
    library.delete("cats")
    restore(backup.path, folder, "cats")
    assert len(library.get("cats").page(0, 100).items) == 30


@pytest.mark.parametrize("damage", ["changed", "shorter", "no hash", "empty hash", "absent"])
def test_a_backup_that_is_not_whole_is_refused(
    library: Library, backup: Backup, folder: Path, damage: str
) -> None:
    beside = Path(f"{backup.path}.sha256")
    if damage == "changed":
        with backup.path.open("r+b") as file:
            file.seek(5000)
            file.write(b"x")
    elif damage == "shorter":
        os.truncate(backup.path, backup.size_bytes - 4096)
    elif damage == "no hash":
        beside.unlink()
    elif damage == "empty hash":
        beside.write_text("")
    else:
        backup.path.unlink()
    with pytest.raises(BackupRefused):
        restore(backup.path, folder, "dogs")
    assert library.names() == ("cats",)


def rehash(path: Path) -> None:
    Path(f"{path}.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    "change",
    ["PRAGMA application_id = 1", "PRAGMA user_version = 99", "UPDATE collection SET spec = '{}'"],
)
def test_a_file_of_something_else_is_refused(
    library: Library, backup: Backup, folder: Path, change: str
) -> None:
    with closing(sqlite3.connect(backup.path, isolation_level=None)) as database:
        database.execute(change)
    rehash(backup.path)
    with pytest.raises(BackupRefused):
        restore(backup.path, folder, "dogs")
    assert library.names() == ("cats",)


def test_a_file_whose_pages_are_damaged_is_refused(
    library: Library, backup: Backup, folder: Path
) -> None:
    content = bytearray(backup.path.read_bytes())
    content[4 * 4096 : 5 * 4096] = bytes(4096)
    backup.path.write_bytes(content)
    rehash(backup.path)
    with pytest.raises(BackupRefused):
        restore(backup.path, folder, "dogs")
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "cats"]
