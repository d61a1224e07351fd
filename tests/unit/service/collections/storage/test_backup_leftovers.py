"""Leftovers of a snapshot that was cut off, and a restore that finds no room."""

import errno
import shutil
from pathlib import Path

import pytest

from service.collections import Library, restore
from service.collections.data_folder import SNAPSHOTS, open_library
from service.collections.errors import StorageFull
from service.collections.storage.locks import FileLock
from service.settings import Settings
from tests.support.small_collections import batch, spec_of

KILLED = f".cats-{'0a' * 16}"
ENDINGS = ("", "-journal", ".lock")


def leave(folder: Path, name: str = KILLED) -> list[Path]:
    folder.mkdir(exist_ok=True)
    left = [folder / f"{name}{ending}" for ending in ENDINGS]
    for path in left:
        path.write_bytes(b"half")
    (folder / ".kept").touch()
    return left


def test_leftovers_go_at_start_and_what_is_at_work_stays(tmp_path: Path) -> None:
    left = leave(tmp_path / SNAPSHOTS)
    written = leave(tmp_path / SNAPSHOTS, f".cats-{'1b' * 16}")
    writer = FileLock(written[-1])
    assert writer.try_hold()
    open_library(Settings(data_dir=tmp_path)).close()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in [*written, tmp_path / SNAPSHOTS / ".kept"])
    writer.close()
    open_library(Settings(data_dir=tmp_path)).close()
    assert not any(path.exists() for path in written)


def test_leftovers_go_before_a_snapshot_needs_their_room(library: Library, tmp_path: Path) -> None:
    cats = library.create(spec_of())[0]
    cats.put(batch(["a"]))
    left = leave(tmp_path / "backups")
    path = cats.backup(tmp_path / "backups").path
    assert not any(one.exists() for one in left)
    names = {one.name for one in path.parent.iterdir()}
    assert names == {path.name, f"{path.name}.sha256", ".lock", ".kept"}


def test_a_restore_without_room_says_so(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cats = library.create(spec_of())[0]
    cats.put(batch(["a"]))
    path = cats.backup(tmp_path / "backups").path

    def fill(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fill)
    with pytest.raises(StorageFull):
        restore(path, tmp_path / "elsewhere", "cats")
    assert not list((tmp_path / "elsewhere").glob("*cats*"))
    assert not list((tmp_path / "elsewhere").glob(".new-*"))
