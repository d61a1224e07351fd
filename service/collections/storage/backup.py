"""A copy of a collection's items in one file, and a collection from such a copy."""

import re
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from models.atomic import fsync
from models.atomic import replacing as written_whole
from models.files import sha256_of
from service.collections.errors import BackupRefused, CollectionDamaged
from service.collections.items import Backup
from service.collections.spec import CollectionSpec
from service.collections.storage import reads, schema, writes
from service.collections.storage.connections import translated
from service.collections.storage.integrity import InvalidItem, check_whole, strays
from service.collections.storage.layout import ITEMS, check_name, making
from service.collections.storage.locks import FileLock, alone
from service.machine.folders import can_write

_LOCK = ".lock"  # held while a copy gets its name
# A copy that is not finished, and what its writer and SQLite have beside it.
# The lock is made first and removed last: what has none is somebody else's.
_UNFINISHED = re.compile(r"(\.[a-z0-9_-]+-[0-9a-f]{32})\.lock")
_DIGITS = 12  # of the hash, in the name of a copy whose own name has another copy
_SHOWN = 20


def write(database: sqlite3.Connection, spec: CollectionSpec, folder: Path) -> Backup:
    """Copy what the connection's transaction sees, atomically. Writers go on meanwhile.

    The copy counts once it was found whole. An existing one of the same sequence stays:
    where it is another one, the new one has the beginning of its hash in its name.
    Raises CollectionDamaged.
    """
    with _unnamed(folder, spec) as temporary:
        sequence, items = _copy(database, temporary, spec)
        sha256, size_bytes = sha256_of(temporary), temporary.stat().st_size
        with alone(folder / _LOCK):
            path = _free(folder, f"{spec.name}-{sequence}", sha256)
            place(temporary, path, sha256)
    return Backup(path, sequence, items, size_bytes, sha256)


def write_to(database: sqlite3.Connection, spec: CollectionSpec, file: Path) -> Backup:
    """Do the same to a file of any name, whose older content is replaced. Raises CollectionDamaged.

    The folder is the caller's: nothing else is left in it.
    """
    with _unnamed(file.parent, spec) as temporary:
        sequence, items = _copy(database, temporary, spec)
        sha256, size_bytes = sha256_of(temporary), temporary.stat().st_size
        place(temporary, file, sha256)
    return Backup(file, sequence, items, size_bytes, sha256)


def sweep(folder: Path) -> None:
    """Delete the unfinished copies of processes that were killed."""
    if not (folder.is_dir() and can_write(folder)):
        return
    for copy in _unfinished(folder):
        lock = FileLock(_lock_of(copy))
        try:
            if lock.try_hold():
                _remove(copy)
        finally:
            lock.close()


@contextmanager
def _unnamed(folder: Path, spec: CollectionSpec) -> Iterator[Path]:
    """A file beside the copies for one that is being written, which others do not sweep."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    temporary, writer = _claimed(folder, spec)
    try:
        yield temporary
    finally:
        _remove(temporary)
        writer.close()


def _claimed(folder: Path, spec: CollectionSpec) -> tuple[Path, FileLock]:
    while True:
        temporary = folder / f".{spec.name}-{uuid4().hex}"
        writer = FileLock(_lock_of(temporary))
        held = writer.try_hold() and _lock_of(temporary).exists()
        if held or not can_write(folder):  # where SQLite says why nothing can be made
            return temporary, writer
        writer.close()  # a sweep came between


def place(copy: Path, path: Path, sha256: str) -> None:
    """Put a copy that is on the disk in its place, its hash beside it.

    At every moment what is at `path` has its hash beside it: for that moment there may be two.
    """
    beside = _hash_file(path)
    line = f"{sha256}  {path.name}\n"
    before = beside.read_text() if beside.exists() and path.exists() else ""
    if before and before != line:
        _write(beside, before + line)
    elif before != line:
        _write(beside, line)
    copy.replace(path)
    fsync(path.parent)
    if before and before != line:
        _write(beside, line)


def restore(
    file: Path, library: Path, name: str, *, leave_out: Sequence[InvalidItem] = ()
) -> CollectionSpec:
    """Make a collection of a backup, under any free name; its index is built anew.

    Raises BackupRefused where the file is not whole, the name is taken, or items are beyond the
    limits of today that `leave_out` does not name; InvalidCollectionName, StorageFull and
    StorageReadOnly.
    """
    check_name(name)
    if (library / name).exists():
        raise BackupRefused(file, f"collection {name!r} exists already")
    _verify(file)
    try:
        with translated(name):
            library.mkdir(parents=True, exist_ok=True)
        with translated(name), making(library, name) as folder:
            shutil.copyfile(file, folder / ITEMS)
            return _taken(file, folder / ITEMS, name, {stray.id for stray in leave_out})
    except FileExistsError:
        raise BackupRefused(file, f"collection {name!r} exists already") from None


def strays_of(file: Path) -> list[InvalidItem]:
    """The items of a backup that are beyond today's limits. Raises BackupRefused."""
    _verify(file)
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return strays(database)
    except (sqlite3.DatabaseError, ValueError) as error:
        raise BackupRefused(file, str(error)) from error


def _copy(database: sqlite3.Connection, path: Path, spec: CollectionSpec) -> tuple[int, int]:
    with closing(sqlite3.connect(path)) as copy:
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        check_whole(copy, spec)
        counted = reads.counts(copy)
    fsync(path)
    return counted


def _unfinished(folder: Path) -> set[Path]:
    found = map(_UNFINISHED.fullmatch, (path.name for path in folder.iterdir()))
    return {folder / match[1] for match in found if match}


def _lock_of(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}.lock")


def _remove(copy: Path) -> None:
    for end in ("", "-journal", "-wal", "-shm", ".lock"):  # SQLite has files beside it
        copy.with_name(copy.name + end).unlink(missing_ok=True)


def _free(folder: Path, stem: str, sha256: str) -> Path:
    path = folder / f"{stem}.sqlite"
    if not path.exists() or (path.is_file() and sha256_of(path) == sha256):
        return path
    return folder / f"{stem}-{sha256[:_DIGITS]}.sqlite"


def _write(beside: Path, text: str) -> None:
    with written_whole(beside) as temporary:
        temporary.write_text(text)
    fsync(beside.parent)


def _verify(file: Path) -> None:
    try:
        stated = [line.split()[0] for line in _hash_file(file).read_text().splitlines() if line]
        found = sha256_of(file)
    except (OSError, IndexError) as error:
        raise BackupRefused(file, f"it and its .sha256 must be there: {error}") from error
    if found not in stated:
        raise BackupRefused(file, f"its sha256 is {found}, and {' or '.join(stated)} is stated")


def _taken(file: Path, items: Path, name: str, left_out: set[str]) -> CollectionSpec:
    try:
        with translated(name), closing(schema.connect(items)) as database:
            written = schema.read_spec(database, name)
            check_whole(database, written)
            _leave_out(file, database, left_out)
        spec = written.copied(name)
        with translated(name):
            schema.rewrite(items, spec)
    except CollectionDamaged as error:
        raise BackupRefused(file, error.reason) from error
    except (sqlite3.DatabaseError, ValueError) as error:
        raise BackupRefused(file, str(error)) from error
    return spec


def _leave_out(file: Path, database: sqlite3.Connection, left_out: set[str]) -> None:
    beyond = strays(database)
    if others := [stray for stray in beyond if stray.id not in left_out]:
        listed = "; ".join(f"{stray.id!r}: {stray.problem}" for stray in others[:_SHOWN])
        raise BackupRefused(
            file,
            f"{len(others):,} of its items are beyond the limits ({listed}); --drop-others leaves "
            "them out",
        )
    if beyond:
        database.execute("BEGIN")
        for stray in beyond:
            writes.delete(database, stray.id)
        database.execute("COMMIT")


def _hash_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")
