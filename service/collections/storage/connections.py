"""The connections to one collection's file: one that writes, some that read."""

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EDQUOT, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path
from threading import Lock

from service.collections.errors import (
    CollectionBusy,
    CollectionDamaged,
    StorageFull,
    StorageReadOnly,
    UnknownCollection,
)
from service.collections.storage.layout import ITEMS, LIBRARY_LOCK, WRITE_LOCK, names
from service.collections.storage.locks import FileLock, together
from service.collections.storage.schema import BUSY_TIMEOUT_S, connect, read_spec
from service.errors import ServiceError, TooManyOpenFiles
from service.machine.folders import can_write
from service.machine.open_files import OUT_OF_HANDLES, out_of_handles

# A larger log has pages that many commits touch (ids in no order) copied to the file once for all
# of them: 8,192 pages are 32 MiB.
_CHECKPOINT_PAGES = 8192
_WRITER_CACHE_KIB = 65_536
_DAMAGE = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_SHORT_READ}
)
_IDLE_READERS = 2  # kept open, of which each holds two files; a burst of readers opens more
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})

File = tuple[int, int]  # device and number: another file in its place has another one


def file_in(folder: Path) -> File | None:
    """Return the file of the folder's collection; None where it has none."""
    try:
        status = (folder / ITEMS).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


class Connections:
    """Threads may share it. Raises UnknownCollection where the file is no longer in its place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closed = False
        self._idle: deque[sqlite3.Connection] = deque()
        self._writer_free = Lock()
        with together(folder.parent / LIBRARY_LOCK), self.translated():
            self.file = self._found()
            self._writer = connect(folder / ITEMS)
            try:
                self.spec = read_spec(self._writer, folder.name)
                self._writer.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
                self._writer.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
                self._write_lock = FileLock(folder / WRITE_LOCK)
                if not can_write(folder):
                    self._write_lock.try_share()  # what is only read must not change below us
            except BaseException:
                self._writer.close()
                raise

    def confirm(self) -> None:
        """Raises UnknownCollection unless the file is still the one that was opened."""
        if self._found() != self.file:
            raise self.unknown()

    def unknown(self) -> UnknownCollection:
        """The error of a collection that is gone."""
        return UnknownCollection(self._folder.name, names(self._folder.parent))

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; when the block ends well it is durable, else nothing of it stays."""
        if not can_write(self._folder):
            self.confirm()
            raise StorageReadOnly(self._folder.name, "its folder is not writable")
        if not self._writer_free.acquire(timeout=BUSY_TIMEOUT_S):
            raise CollectionBusy(self._folder.name)
        try:
            with self.translated(), self._alone():
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                    self._writer.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # a failed COMMIT may have rolled back itself
                        self._writer.execute("ROLLBACK")
                    raise
        finally:
            self._writer_free.release()
        self.confirm()  # nothing is acknowledged that went into a file since deleted

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # SQLite would do without. But a commit and two checkpoints at one instant, of which the
        # second is by another connection, can damage files (the WAL-reset bug, up to 3.51.2);
        # whoever commits or checkpoints here is alone.
        if not self._write_lock.hold(BUSY_TIMEOUT_S):
            raise CollectionBusy(self._folder.name)
        try:
            yield
        finally:
            self._write_lock.release()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One view of the file, whatever is written meanwhile."""
        connection = self._take()
        try:
            with self.translated():
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    connection.execute("ROLLBACK")
        finally:
            self._give_back(connection)

    def reader(self) -> sqlite3.Connection:
        """A connection of the caller's own, to close with `retire`."""
        with together(self._folder.parent / LIBRARY_LOCK), self.translated():
            self.confirm()
            connection = connect(self._folder / ITEMS)
            try:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("SELECT sequence FROM collection").fetchone()  # opens -wal
            except BaseException:
                connection.close()
                raise
            return connection

    def retire(self, *connections: sqlite3.Connection) -> None:
        """Close connections, of which the last one of the machine deletes the -wal file."""
        with together(self._folder.parent / LIBRARY_LOCK):
            for connection in connections:
                connection.close()

    def close(self) -> None:
        """Close all, once nobody is inside."""
        self._closed = True
        self.retire(*self._idle, self._writer)
        self._idle.clear()
        self._write_lock.close()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self.reader()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed or len(self._idle) >= _IDLE_READERS:
            self.retire(connection)
        else:
            self._idle.append(connection)

    def _found(self) -> File:
        found = file_in(self._folder)
        if found is None:
            raise self.unknown()
        return found

    @contextmanager
    def translated(self) -> Iterator[None]:
        """SQLite's errors in the service's words."""
        with translated(self._folder.name):
            yield


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Errors of SQLite and of the disk that tell something about the collection, in our words."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if (meant := _of_sqlite(name, error)) is None:
            raise
        raise meant from error
    except OSError as error:
        if (meant := _of_disk(name, error)) is None:
            raise
        raise meant from error


def _of_sqlite(name: str, error: sqlite3.DatabaseError) -> ServiceError | None:
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _DAMAGE or code & 0xFF in _DAMAGE:
        return CollectionDamaged(name, str(error))
    if code in _FULL:
        return StorageFull(name)
    if code & 0xFF == sqlite3.SQLITE_BUSY:
        return CollectionBusy(name)
    if code & 0xFF == sqlite3.SQLITE_READONLY:
        return StorageReadOnly(name, str(error))
    if code & 0xFF == sqlite3.SQLITE_CANTOPEN and out_of_handles():
        return TooManyOpenFiles()
    return None


def _of_disk(name: str, error: OSError) -> ServiceError | None:
    if error.errno in {ENOSPC, EDQUOT}:
        return StorageFull(name)
    if error.errno in OUT_OF_HANDLES:
        return TooManyOpenFiles()
    if error.errno in {EACCES, ENOTDIR, EPERM, EROFS}:
        return StorageReadOnly(name, error.strerror or "its folder is not writable")
    return None
