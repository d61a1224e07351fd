import hashlib
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.atomic import fsync
from service.collections import Backup, Library, NewItem, restore
from service.collections.errors import (
    BackupRefused,
    CollectionDamaged,
    InvalidCollectionName,
)
from service.collections.storage import backup as backup_module
from service.collections.storage.backup import place, strays_of
from service.vectors.filters import parse_filter
from service.vectors.query import Search
from tests.support.small_collections import batch, drawn, spec_of
from tests.unit.service.collections.conftest import Opener


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
    assert shown(backup.path.parent) == {backup.path, beside}


def shown(folder: Path) -> set[Path]:
    return {path for path in folder.iterdir() if path.name != ".lock"}


def test_the_same_backup_again_is_one_file(library: Library, backup: Backup) -> None:
    again = library.get("cats").backup(backup.path.parent)
    assert again == backup
    assert len(shown(backup.path.parent)) == 2
    restore(again.path, backup.path.parent.parent / "elsewhere", "cats")


def test_a_backup_never_takes_the_place_of_another_one(
    library: Library, backup: Backup, folder: Path
) -> None:
    """As of a collection that was deleted, made anew and came to the same sequence."""
    library.delete("cats")
    cats = library.create(spec_of())[0]
    cats.put(batch([f"new {i}" for i in range(32)]))
    again = cats.backup(backup.path.parent)
    assert again.sequence == backup.sequence
    assert again.path.name == f"cats-32-{again.sha256[:12]}.sqlite"
    for one, name in ((backup, "old"), (again, "new")):
        restore(one.path, folder, name)
        assert len(library.get(name).page(0, 100).items) == one.items
    assert cats.backup(backup.path.parent) == again
    assert len(shown(backup.path.parent)) == 4


def test_backups_at_one_moment_are_all_whole(library: Library, tmp_path: Path) -> None:
    cats = library.create(spec_of())[0]
    cats.put(batch([str(i) for i in range(300)]))
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: cats.backup(tmp_path / "backups"), range(24)))
    assert len(set(made)) == 1
    assert len(shown(tmp_path / "backups")) == 2
    restore(made[0].path, tmp_path / "elsewhere", "cats")


def test_a_backup_that_fails_leaves_nothing(library: Library, tmp_path: Path) -> None:
    cats = library.create(spec_of())[0]
    (tmp_path / "backups").write_text("in the way")
    with pytest.raises(OSError, match="backups"):
        cats.backup(tmp_path / "backups")
    assert (tmp_path / "backups").read_text() == "in the way"


def altered(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "cats" / "items.sqlite", isolation_level=None)) as it:
        it.execute(sql)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE collection SET items = items + 1",
        "UPDATE collection SET sequence = 3",
        "DELETE FROM items WHERE id = '5'",
        "DELETE FROM images",
        "DELETE FROM thumbnails",
        "UPDATE items SET vector = zeroblob(32) WHERE id = '7'",
        "UPDATE items SET vector = x'0000803f' WHERE id = '7'",
        "UPDATE items SET vector = CAST(zeroblob(28) || x'0000a041' AS BLOB) WHERE id = '7'",
        "UPDATE items SET metadata = '[1]' WHERE id = '7'",
        "UPDATE items SET metadata = '{' WHERE id = '7'",
        "UPDATE items SET label = CAST(x'ff' AS TEXT) WHERE id = '7'",
    ],
)
def test_a_damaged_collection_gives_no_backup_and_spoils_none(
    library: Library, backup: Backup, folder: Path, damage: str
) -> None:
    altered(folder, damage)
    before = {path: path.read_bytes() for path in shown(backup.path.parent)}
    with pytest.raises(CollectionDamaged):
        library.get("cats").backup(backup.path.parent)
    assert {path: path.read_bytes() for path in shown(backup.path.parent)} == before
    restore(backup.path, backup.path.parent / "elsewhere", "cats")


def test_a_damaged_page_gives_no_backup_and_spoils_none(
    open_library: Opener, library: Library, backup: Backup, folder: Path
) -> None:
    library.close()
    items = folder / "cats" / "items.sqlite"
    content = bytearray(items.read_bytes())
    content[4 * 4096 : 5 * 4096] = bytes(4096)
    items.write_bytes(content)
    with pytest.raises(CollectionDamaged):
        open_library().get("cats").backup(backup.path.parent)
    restore(backup.path, backup.path.parent / "elsewhere", "cats")


def test_what_has_its_place_has_its_hash_beside_it_at_every_moment(
    library: Library, backup: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever it is interrupted, the copy that is there can be restored."""
    cats = library.get("cats")
    target = tmp_path / "fixed.sqlite"
    for round_, interrupted_at in enumerate((None, None, 0, 1, 2, None)):
        cats.put(batch([f"round {round_}"]))
        made = cats.backup(tmp_path / "all")
        calls = iter(range(3))

        def killed(path: Path, at: int | None = interrupted_at, calls: Any = calls) -> None:
            if next(calls) == at:
                raise KeyboardInterrupt
            fsync(path)

        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(backup_module, "fsync", killed)
            place(made.path, target, made.sha256)
        restore(target, tmp_path / f"of {round_}", "cats")


def test_items_beyond_the_limits_are_restored_only_where_that_is_said(
    library: Library, backup: Backup, folder: Path
) -> None:
    """As a release before took them from a Parquet file."""
    altered(folder, "UPDATE items SET id = 'a/../b' WHERE id = '7'")
    altered(folder, "UPDATE items SET label = printf('%.*c', 300, 'x') WHERE id = '8'")
    cats = library.get("cats")
    assert cats.get("a/../b").metadata == {"year": 2020}
    made = cats.backup(backup.path.parent)
    with pytest.raises(BackupRefused, match=r"2 of its items.*--drop-others"):
        restore(made.path, folder, "dogs")
    assert library.names() == ("cats",)
    beyond = strays_of(made.path)
    assert [stray.id for stray in beyond] == ["a/../b", "8"]
    restore(made.path, folder, "dogs", leave_out=beyond)
    dogs = library.get("dogs")
    assert dogs.has(["a/../b", "7", "8", "9"]) == [False, False, False, True]
    assert dogs.facts().items == 28
    assert len(dogs.search(drawn(1), Search(99, where=parse_filter({"year": 2020})))[0]) == 27


def test_a_restored_collection_is_the_one_that_was_copied(
    library: Library, open_library: Opener, backup: Backup, folder: Path
) -> None:
    cats = library.get("cats")
    whole = cats.search(drawn(2), Search(100))
    cats.put(batch(["later"]))
    spec = restore(backup.path, folder, "dogs")
    dogs = open_library().get("dogs")
    assert (
        spec == dogs.spec == replace(spec_of("dogs"), created=spec.created, identity=spec.identity)
    )
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
