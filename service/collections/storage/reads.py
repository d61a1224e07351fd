"""Reads within one transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import orjson
from jaxtyping import Int64

from service.collections.items import Item, Page
from service.vectors.protocol import Rows, Vectors

_ITEM = "SELECT row, id, label, metadata, has_thumbnail, has_image FROM items"
_AMONG = "(SELECT value FROM json_each(?))"
_ROWS_AT_ONCE = 65_536  # what a catch-up holds in memory at a time

# Rows are multiplied by a prime and cut to 31 bits, so that a sample is spread over all of them.
_MULTIPLIER, _SPREAD = 2_654_435_761, 2**31

Picture = Literal["image", "thumbnail"]


@dataclass(frozen=True)
class Changes:
    """The changes after one sequence and up to another."""

    until: int
    rows: Rows  # added, ascending
    vectors: Vectors
    removed: Int64[np.ndarray, " r"]


class LabeledRow(NamedTuple):
    """An item without its metadata."""

    row: int
    id: str
    label: str | None


@dataclass(frozen=True)
class LabeledRows:
    """Items with a label: all of them, or a sample."""

    sequence: int
    total: int  # with a label
    unlabeled: int
    vectors: Vectors
    labels: tuple[str, ...]


def counts(database: sqlite3.Connection) -> tuple[int, int]:
    """The sequence, and how many items there are."""
    sequence, items = database.execute("SELECT sequence, items FROM collection").fetchone()
    return int(sequence), int(items)


def item(database: sqlite3.Connection, item_id: str) -> Item | None:
    """The item of that id."""
    found = database.execute(f"{_ITEM} WHERE id = ?", (item_id,)).fetchone()
    return None if found is None else _item(found)


def picture(database: sqlite3.Connection, row: int, kind: Picture) -> bytes | None:
    """The encoded image or thumbnail of that row."""
    table = "images" if kind == "image" else "thumbnails"
    found = database.execute(f"SELECT content FROM {table} WHERE row = ?", (row,)).fetchone()  # noqa: S608
    return None if found is None else bytes(found[0])


def items_of(database: sqlite3.Connection, rows: Sequence[int]) -> dict[int, Item]:
    """Read the items of those rows, by row; missing ones are left out."""
    found = database.execute(f"{_ITEM} WHERE row IN {_AMONG}", (orjson.dumps(rows).decode(),))
    return {one[0]: _item(one) for one in found}


def present(database: sqlite3.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Read the rows of those ids, by id; missing ones are left out."""
    return dict(
        database.execute(
            f"SELECT id, row FROM items WHERE id IN {_AMONG}",  # noqa: S608 - our words
            (as_json(ids),),
        )
    )


def as_json(ids: Sequence[str]) -> str:
    """The ids that an item can have, for SQLite's json_each, which ends a text before a NUL."""
    return orjson.dumps([one for one in ids if "\0" not in one]).decode()


def labeled(database: sqlite3.Connection, dimension: int) -> tuple[list[LabeledRow], Vectors]:
    """Every item's row, id and label, by rising row, with its vector."""
    found = database.execute("SELECT row, id, label FROM items ORDER BY row").fetchall()
    rows = np.fromiter((row for row, _, _ in found), np.int64, len(found))
    return [LabeledRow(*one) for one in found], vectors(database, rows, dimension)


def page(database: sqlite3.Connection, after: int, limit: int) -> Page:
    """At most `limit` items of rows greater than `after`."""
    found = database.execute(
        f"{_ITEM} WHERE row > ? ORDER BY row LIMIT ?", (after, limit + 1)
    ).fetchall()
    items = tuple(map(_item, found[:limit]))
    return Page(items, items[-1].row if len(found) > limit and items else None)


def ids(database: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, str]]:
    """Rows and ids of at most `limit` items of rows greater than `after`."""
    return database.execute(
        "SELECT row, id FROM items WHERE row > ? ORDER BY row LIMIT ?", (after, limit)
    ).fetchall()


def vectors(database: sqlite3.Connection, rows: Rows, dimension: int) -> Vectors:
    """The vectors of those rows, in their order; NaN where a row is not there."""
    found = database.execute(
        f"SELECT row, vector FROM items WHERE row IN {_AMONG} ORDER BY row",  # noqa: S608
        (orjson.dumps(rows.tolist()).decode(),),
    ).fetchall()
    there, stored = _arrays(found, dimension)
    result = np.full((len(rows), dimension), np.nan, np.float32)
    if len(there):
        position = np.searchsorted(there, rows).clip(max=len(there) - 1)
        hit = there[position] == rows
        result[hit] = stored[position[hit]]
    return result


def labeled_sample(database: sqlite3.Connection, most: int, dimension: int) -> LabeledRows:
    """Vectors and labels of the items that have one; of more than `most` a sample.

    The sample is the same for the same items: their rows, multiplied, decide.
    """
    sequence, items = counts(database)
    (total,) = database.execute("SELECT count(*) FROM items WHERE label IS NOT NULL").fetchone()
    below = _SPREAD if total <= most else int(_SPREAD * most / total)
    found = database.execute(
        "SELECT row, vector, label FROM items WHERE label IS NOT NULL AND (row * ?) % ? < ? "
        "ORDER BY row LIMIT ?",
        (_MULTIPLIER, _SPREAD, below, most),
    ).fetchall()
    _, stored = _arrays([(row, vector) for row, vector, _ in found], dimension)
    labels = tuple(label for _, _, label in found)
    return LabeledRows(sequence, int(total), items - int(total), stored, labels)


def changes(database: sqlite3.Connection, after: int, dimension: int) -> Changes:
    """The next changes after a sequence, oldest first; `until` is the file's when they are all."""
    found = database.execute(
        "SELECT row, vector FROM items WHERE row > ? ORDER BY row LIMIT ?", (after, _ROWS_AT_ONCE)
    ).fetchall()
    until = found[-1][0] if len(found) == _ROWS_AT_ONCE else counts(database)[0]
    # A row that came and went after `after` was never passed on.
    removed = database.execute(
        "SELECT row FROM removals WHERE sequence > ? AND sequence <= ? AND row <= ?",
        (after, until, after),
    ).fetchall()
    gone = np.fromiter((row for (row,) in removed), np.int64, len(removed))
    return Changes(until, *_arrays(found, dimension), np.sort(gone))


def removed(database: sqlite3.Connection, after: int) -> Int64[np.ndarray, " r"]:
    """The rows that were removed after a sequence."""
    found = database.execute("SELECT row FROM removals WHERE sequence > ?", (after,)).fetchall()
    return np.fromiter((row for (row,) in found), np.int64, len(found))


def _arrays(found: list[tuple[int, bytes]], dimension: int) -> tuple[Rows, Vectors]:
    rows = np.fromiter((row for row, _ in found), np.int64, len(found))
    stored = np.frombuffer(b"".join(vector for _, vector in found), "<f4")
    return rows, stored.reshape(len(found), dimension).astype(np.float32, copy=False)


def _item(found: tuple[int, str, str | None, str, int, int]) -> Item:
    row, id_, label, metadata, has_thumbnail, has_image = found
    return Item(row, id_, label, orjson.loads(metadata), bool(has_thumbnail), bool(has_image))
