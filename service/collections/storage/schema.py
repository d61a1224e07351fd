"""The file of a collection: its tables, how they are made and how they are opened."""

import sqlite3
from dataclasses import asdict
from pathlib import Path

import orjson

from service.collections.errors import CollectionDamaged
from service.collections.spec import CollectionSpec
from service.machine.folders import can_write
from service.machine.open_files import out_of_handles

APPLICATION_ID = 0x4C415443  # "LATC", in bytes 68 to 71 of the file
SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 30.0
# The file may be whole: it could not be opened, or others held it.
_NOT_DAMAGE = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_FULL}
)

# Rows come from `sequence` and are never used again: whatever happened since a sequence is the
# items of greater rows, and the removals of greater sequences. Where an item replaces another, the
# removal of the old row has the new row's number.
# The vector is the last column: who reads the others never touches its overflow pages.
_TABLES = """
CREATE TABLE collection (
    spec TEXT NOT NULL, sequence INTEGER NOT NULL, items INTEGER NOT NULL
) STRICT;
CREATE TABLE items (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, label TEXT, metadata TEXT NOT NULL,
    has_image INTEGER NOT NULL, has_thumbnail INTEGER NOT NULL, vector BLOB NOT NULL
) STRICT;
CREATE TABLE images (row INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE thumbnails (row INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE properties (
    key TEXT NOT NULL, kind TEXT NOT NULL, value ANY NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (key, kind, value, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE removals (sequence INTEGER PRIMARY KEY, row INTEGER NOT NULL) STRICT;
"""


def make(path: Path, spec: CollectionSpec) -> None:
    """Write the file of a collection without items."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(f"BEGIN; {_TABLES} COMMIT;")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        database.execute("INSERT INTO collection VALUES (?, 0, 0)", (_written(spec),))
    finally:
        database.close()


def rewrite(path: Path, spec: CollectionSpec) -> None:
    """Write another spec into a file that no one else has opened yet, and set it to WAL."""
    database = connect(path)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE collection SET spec = ?", (_written(spec),))
    finally:
        database.close()


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing file. Transactions are begun and ended by the caller.

    Where its folder cannot be written, it can only be read. Raises CollectionDamaged where that
    is not possible.
    """
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?{_mode(path)}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,  # handed from thread to thread, used by one at a time
    )
    try:
        database.execute("PRAGMA synchronous = FULL")  # reads the file for the first time
    except sqlite3.OperationalError as error:
        database.close()
        if not can_write(path.parent) and not out_of_handles():
            reason = "it was not closed, which only somebody who can write its folder can do now"
            raise CollectionDamaged(path.parent.name, f"{error}; {reason}") from error
        raise
    except BaseException:
        database.close()
        raise
    return database


def _mode(path: Path) -> str:
    if can_write(path.parent):
        return "mode=rw"
    # SQLite would make the -wal file, and needs none where there is none to read. Who opens it so
    # keeps others from writing meanwhile (`Connections`).
    is_closed = not path.with_name(f"{path.name}-wal").exists()
    return "mode=ro&immutable=1" if is_closed else "mode=ro"


def read_spec(database: sqlite3.Connection, name: str) -> CollectionSpec:
    """Read the definition in the file; this opens its -wal file, too. Raises CollectionDamaged."""
    try:
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise CollectionDamaged(name, "its file is not one that this service made")
        if version != SCHEMA_VERSION:
            raise CollectionDamaged(
                name, f"its schema is version {version}, and this release reads {SCHEMA_VERSION}"
            )
        (written,) = database.execute("SELECT spec FROM collection").fetchone()
        return CollectionSpec(**orjson.loads(written))
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_DAMAGE:
            raise
        raise CollectionDamaged(name, str(error)) from error
    except (TypeError, ValueError) as error:
        raise CollectionDamaged(name, str(error)) from error


def _written(spec: CollectionSpec) -> str:
    return orjson.dumps(asdict(spec)).decode()
