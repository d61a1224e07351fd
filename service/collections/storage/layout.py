"""The files of a collection; its folder comes and goes as a whole."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from models.atomic import fsync, fsync_tree
from service.collections.errors import InvalidCollectionName
from service.collections.storage.locks import FileLock, alone

ITEMS = "items.sqlite"
INDEX = "index"
WRITE_LOCK = "write.lock"  # held by who writes or checkpoints
SAVE_LOCK = "save.lock"  # held by the one process that saves the index
# Of all collections: alone while a folder is made, renamed or swept; together while its files are
# opened or closed. SQLite finds its -wal file by path, and must not meet another collection's.
LIBRARY_LOCK = ".lock"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_TAKEN = frozenset({"gallery"})  # of each model, its training images
_NEW = ".new-"
GONE = ".gone-"


def check_name(name: str) -> None:
    """Raises InvalidCollectionName."""
    if not _NAME.fullmatch(name):
        raise InvalidCollectionName(
            name, "use up to 63 of a-z, 0-9, - and _, and begin with a letter or a digit"
        )
    if name in _TAKEN:
        raise InvalidCollectionName(name, "that is the model's own")


def names(library: Path) -> tuple[str, ...]:
    """Return the existing collections, sorted."""
    found = (path.parent.name for path in library.glob(f"*/{ITEMS}"))
    return tuple(sorted(name for name in found if _NAME.fullmatch(name)))


def size_bytes(folder: Path) -> int:
    """Sum the files of a collection; those that go meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


@contextmanager
def making(library: Path, name: str) -> Iterator[Path]:
    """Give a folder to fill, which becomes the collection's when the block ends well.

    Raises FileExistsError where there is one by then.
    """
    temporary = library / f"{_NEW}{uuid4().hex}"
    with alone(library / LIBRARY_LOCK):
        temporary.mkdir()
        maker = FileLock(temporary / WRITE_LOCK)
        maker.try_hold()  # tells a sweep that somebody is at work
    try:
        yield temporary
        fsync_tree(temporary)
        with alone(library / LIBRARY_LOCK):
            _place(temporary, library / name)
    finally:
        maker.close()
        shutil.rmtree(temporary, ignore_errors=True)


def _place(temporary: Path, folder: Path) -> None:
    if folder.exists():
        raise FileExistsError(folder)
    temporary.rename(folder)
    fsync(folder.parent)


def unmake(library: Path, name: str) -> Path:
    """Take the collection away; what is left of it is for `shutil.rmtree`.

    Raises FileNotFoundError.
    """
    gone = library / f"{GONE}{uuid4().hex}"
    with alone(library / LIBRARY_LOCK):
        (library / name).rename(gone)
        fsync(library)
    return gone


def sweep(library: Path) -> None:
    """Delete what processes that were killed left of makings and unmakings."""
    with alone(library / LIBRARY_LOCK):
        for folder in library.glob(f"{GONE}*"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in library.glob(f"{_NEW}*"):
            _sweep_new(folder)


def _sweep_new(folder: Path) -> None:
    maker = FileLock(folder / WRITE_LOCK)
    try:
        if maker.try_hold():
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        maker.close()
