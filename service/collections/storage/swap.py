"""One collection in the place of another."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from models.atomic import fsync
from service.collections.errors import CollectionBusy
from service.collections.storage.layout import GONE, LIBRARY_LOCK, WRITE_LOCK
from service.collections.storage.locks import FileLock, alone
from service.collections.storage.schema import BUSY_TIMEOUT_S

_OLD = ".old-"  # and the name: the collection, while another takes its place


@contextmanager
def replacing(library: Path, name: str) -> Iterator[Callable[[Path], None]]:
    """Hold up who writes to the collection; the block may call what it gets with a folder.

    That folder, whole and closed, takes the collection's place. Writers that were held up then
    meet UnknownCollection, since the files that they had open are gone. Raises CollectionBusy.
    """
    lock = FileLock(library / name / WRITE_LOCK)
    try:
        if not lock.hold(BUSY_TIMEOUT_S):
            raise CollectionBusy(name)
        yield partial(_exchange, library, name)
    finally:
        lock.close()


def recover(library: Path) -> None:
    """Put back what a process that was killed had taken away to replace it.

    While another process replaces a collection, wait until that is done.
    """
    if not any(library.glob(f"{_OLD}*")):
        return
    with alone(library / LIBRARY_LOCK):
        for old in library.glob(f"{_OLD}*"):
            place = library / old.name.removeprefix(_OLD)
            if place.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.rename(place)
                fsync(library)


def _exchange(library: Path, name: str, folder: Path) -> None:
    place, old = library / name, library / f"{_OLD}{name}"
    gone = library / f"{GONE}{uuid4().hex}"
    with alone(library / LIBRARY_LOCK):
        place.rename(old)
        try:
            folder.rename(place)
        except OSError:
            old.rename(place)
            raise
        fsync(library)
        old.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
