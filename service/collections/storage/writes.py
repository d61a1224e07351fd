"""Writes of one transaction."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from service.collections.items import Metadata, NewItem, Receipt
from service.collections.storage.reads import as_json
from service.collections.validation import LABEL
from service.vectors.filters import Value
from service.vectors.protocol import Vectors

Property = tuple[str, str, Value, int]
_FILE = "INSERT INTO properties (key, kind, value, row) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True)
class _Replaced:
    row: int
    label: str | None
    metadata: str


def put(database: sqlite3.Connection, items: Sequence[NewItem], vectors: Vectors) -> Receipt:
    """Add or replace items; of two with one id the last one stays."""
    position = {item.id: i for i, item in enumerate(items)}
    old = _present(database, tuple(position))
    (sequence,) = database.execute("SELECT sequence FROM collection").fetchone()
    kept = sorted(position.values())
    rows = range(sequence + 1, sequence + 1 + len(kept))
    numbered = {items[i].id: row for i, row in zip(kept, rows, strict=True)}
    _remove(database, [(numbered[item_id], one) for item_id, one in old.items()])
    _insert(database, [(row, items[i]) for row, i in zip(rows, kept, strict=True)], vectors[kept])
    _count(database, rows.stop - 1, len(kept) - len(old))
    return Receipt(rows.stop - 1, tuple(_replaced(items, old)))


def delete(database: sqlite3.Connection, item_id: str) -> int | None:
    """The sequence after the deletion; none where there is no such item."""
    old = _present(database, (item_id,))
    if not old:
        return None
    (sequence,) = database.execute("SELECT sequence + 1 FROM collection").fetchone()
    _remove(database, [(sequence, old[item_id])])
    _count(database, sequence, -1)
    return int(sequence)


def relabel(database: sqlite3.Connection, item_id: str, label: str | None) -> int | None:
    """The sequence after the item got another label; none where there is no such item.

    The item moves to a new row, as if it had been put again, so that whoever follows sees it.
    """
    old = _present(database, (item_id,)).get(item_id)
    if old is None:
        return None
    (row,) = database.execute("SELECT sequence + 1 FROM collection").fetchone()
    database.execute("UPDATE items SET row = ?, label = ? WHERE row = ?", (row, label, old.row))
    for table in ("images", "thumbnails"):
        database.execute(f"UPDATE {table} SET row = ? WHERE row = ?", (row, old.row))  # noqa: S608 - our words
    _remove(database, [(row, old)])
    database.executemany(_FILE, _properties(row, label, orjson.loads(old.metadata)))
    _count(database, row, 0)
    return int(row)


def kind_of(value: Value) -> str:
    """The kind under which a value is filed: a range over numbers never meets text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "text" if isinstance(value, str) else "number"


def filed(value: Value) -> str | int | float:
    """The value as it is filed within its kind."""
    return 0 if value is None else value


def _present(database: sqlite3.Connection, ids: Sequence[str]) -> dict[str, _Replaced]:
    found = database.execute(
        "SELECT id, row, label, metadata FROM items WHERE id IN (SELECT value FROM json_each(?))",
        (as_json(ids),),
    )
    return {item_id: _Replaced(*rest) for item_id, *rest in found}


def _replaced(items: Iterable[NewItem], old: dict[str, _Replaced]) -> Iterator[bool]:
    seen = set(old)
    for item in items:
        yield item.id in seen
        seen.add(item.id)


def _remove(database: sqlite3.Connection, removed: Sequence[tuple[int, _Replaced]]) -> None:
    if not removed:
        return
    rows = [(old.row,) for _, old in removed]
    for table in ("items", "images", "thumbnails"):
        database.executemany(f"DELETE FROM {table} WHERE row = ?", rows)  # noqa: S608 - our words
    database.executemany(
        "DELETE FROM properties WHERE key = ? AND kind = ? AND value = ? AND row = ?",
        (
            one
            for _, old in removed
            for one in _properties(old.row, old.label, orjson.loads(old.metadata))
        ),
    )
    database.executemany(
        "INSERT INTO removals (sequence, row) VALUES (?, ?)",
        ((sequence, old.row) for sequence, old in removed),
    )


def _insert(
    database: sqlite3.Connection, items: Sequence[tuple[int, NewItem]], vectors: Vectors
) -> None:
    blobs = (memoryview(vector) for vector in vectors.astype("<f4", copy=False))
    database.executemany(
        "INSERT INTO items (row, id, label, metadata, has_image, has_thumbnail, vector)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (_columns(row, item, blob) for (row, item), blob in zip(items, blobs, strict=True)),
    )
    database.executemany(
        _FILE,
        (one for row, item in items for one in _properties(row, item.label, item.metadata)),
    )
    for table, pictures in (
        ("images", ((row, item.image) for row, item in items if item.image is not None)),
        ("thumbnails", ((r, item.thumbnail) for r, item in items if item.thumbnail is not None)),
    ):
        database.executemany(f"INSERT INTO {table} (row, content) VALUES (?, ?)", pictures)  # noqa: S608


def _columns(row: int, item: NewItem, vector: memoryview) -> tuple[object, ...]:
    metadata = orjson.dumps(item.metadata).decode() if item.metadata else "{}"
    has_image, has_thumbnail = item.image is not None, item.thumbnail is not None
    return row, item.id, item.label, metadata, has_image, has_thumbnail, vector


def _properties(row: int, label: str | None, metadata: Metadata) -> Iterator[Property]:
    yield LABEL, kind_of(label), filed(label), row
    for key, value in metadata.items():
        yield key, kind_of(value), filed(value), row


def _count(database: sqlite3.Connection, sequence: int, more: int) -> None:
    database.execute("UPDATE collection SET sequence = ?, items = items + ?", (sequence, more))
