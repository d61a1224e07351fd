"""A copy of a collection's items in one file, and a collection from such a copy."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from models.atomic import fsync
from service.collections import reading, schema
from service.collections.errors import BackupRefused, CollectionDamaged
from service.collections.layout import ITEMS, check_name, making
from service.collections.values import Backup, CollectionSpec


def write(database: sqlite3.Connection, name: str, folder: Path) -> Backup:
    """Copy what the connection's transaction sees, atomically. Writers go on meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}-{uuid4().hex}"
    try:
        sequence, items = _copy(database, temporary)
        sha256, size_bytes = _sha256(temporary), temporary.stat().st_size
        path = folder / f"{name}-{sequence}.sqlite"
        _hash_file(path).unlink(missing_ok=True)  # of an earlier copy at the same sequence
        temporary.replace(path)
        _write_hash(path, sha256, temporary)
    finally:
        temporary.unlink(missing_ok=True)
    return Backup(path, sequence, items, size_bytes, sha256)


def restore(file: Path, library: Path, name: str) -> CollectionSpec:
    """Make a collection of a backup, under any free name; its index is built anew.

    Raises BackupRefused where the file is not whole or the name is taken, InvalidCollectionName.
    """
    check_name(name)
    if (library / name).exists():
        raise BackupRefused(file, f"there is a collection {name!r} already")
    _verify(file)
    library.mkdir(parents=True, exist_ok=True)
    try:
        with making(library, name) as folder:
            shutil.copyfile(file, folder / ITEMS)
            return _check(file, folder / ITEMS, name)
    except FileExistsError:
        raise BackupRefused(file, f"there is a collection {name!r} already") from None


def _copy(database: sqlite3.Connection, path: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(path)) as copy:
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        counted = reading.counts(copy)
    fsync(path)
    return counted


def _write_hash(path: Path, sha256: str, temporary: Path) -> None:
    temporary.write_text(f"{sha256}  {path.name}\n")
    fsync(temporary)
    temporary.replace(_hash_file(path))
    fsync(path.parent)


def _verify(file: Path) -> None:
    try:
        stated = _hash_file(file).read_text().split()[0]
        found = _sha256(file)
    except (OSError, IndexError) as error:
        raise BackupRefused(file, f"it and its .sha256 must be there: {error}") from error
    if stated != found:
        raise BackupRefused(file, f"its sha256 is {found}, and {stated} was written down")


def _check(file: Path, items: Path, name: str) -> CollectionSpec:
    try:
        with closing(schema.connect(items)) as database:
            spec = replace(
                schema.read_spec(database, name), name=name, created=datetime.now(UTC).isoformat()
            )
            (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise BackupRefused(file, verdict)
        schema.rewrite(items, spec)
    except CollectionDamaged as error:
        raise BackupRefused(file, error.reason) from error
    except sqlite3.DatabaseError as error:
        raise BackupRefused(file, str(error)) from error
    return spec


def _hash_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
