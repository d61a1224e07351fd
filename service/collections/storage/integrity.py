"""Integrity of a collection's file: the checks of SQLite, and our own."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import orjson

from service.collections.errors import CollectionDamaged
from service.collections.spec import CollectionSpec
from service.collections.validation import item_problem
from service.vectors.lengths import problems

_ROWS_AT_ONCE = 10_000
_UNIT_ATOL = 1e-3  # of a stored length of 1, far above float32's rounding
_COUNTS = (
    ("items", "SELECT items FROM collection", "SELECT COUNT(*) FROM items"),
    (
        "images",
        "SELECT COUNT(*) FROM items WHERE has_image",
        "SELECT COUNT(*) FROM items JOIN images USING (row) WHERE has_image",
    ),
    (
        "thumbnails",
        "SELECT COUNT(*) FROM items WHERE has_thumbnail",
        "SELECT COUNT(*) FROM items JOIN thumbnails USING (row) WHERE has_thumbnail",
    ),
    (
        "numbers up to the sequence",
        "SELECT sequence FROM collection",
        "SELECT MAX((SELECT sequence FROM collection), IFNULL((SELECT MAX(row) FROM items), 0),"
        " IFNULL((SELECT MAX(sequence) FROM removals), 0))",
    ),
)


class InvalidItem(NamedTuple):
    """An item beyond today's limits, which a release before took."""

    id: str
    problem: str


def check_whole(database: sqlite3.Connection, spec: CollectionSpec) -> None:
    """Raise CollectionDamaged with the first thing that is not as it was written.

    It reads the whole file: SQLite's own check, every count twice, every vector and metadata.
    """
    try:
        fault = next(_faults(database, spec), None)
    except (sqlite3.DatabaseError, ValueError) as error:
        raise CollectionDamaged(spec.name, str(error)) from error
    if fault is not None:
        raise CollectionDamaged(spec.name, fault)


def strays(database: sqlite3.Connection) -> list[InvalidItem]:
    """The items beyond today's limits, in the order in which they were put."""
    found = database.execute("SELECT id, label, metadata FROM items ORDER BY row")
    named = ((one[0], item_problem(one[0], one[1], orjson.loads(one[2]))) for one in found)
    return [InvalidItem(item_id, problem) for item_id, problem in named if problem]


def _faults(database: sqlite3.Connection, spec: CollectionSpec) -> Iterator[str]:
    (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        yield str(verdict)
        return
    for what, stated, counted in _COUNTS:
        said, found = (database.execute(sql).fetchone()[0] for sql in (stated, counted))
        if said != found:
            yield f"it states {said:,} {what} and has {found:,}"
    yield from _item_faults(database, spec)


def _item_faults(database: sqlite3.Connection, spec: CollectionSpec) -> Iterator[str]:
    cursor = database.execute("SELECT id, label, metadata, vector FROM items ORDER BY row")
    while some := cursor.fetchmany(_ROWS_AT_ONCE):
        for item_id, _label, metadata, vector in some:
            if not isinstance(orjson.loads(metadata), dict):
                yield f"the metadata of item {item_id!r} is not an object"
            if len(vector) != 4 * spec.dimension:
                yield f"the vector of item {item_id!r} has {len(vector):,} bytes"
                return
        vectors = np.frombuffer(b"".join(one[3] for one in some), "<f4").astype(np.float32)
        vectors = vectors.reshape(len(some), spec.dimension)
        found = problems(vectors, spec.metric) or _not_unit(vectors, spec)
        for i, problem in found.items():
            yield f"the vector of item {some[i][0]!r} {problem}"


def _not_unit(vectors: np.ndarray, spec: CollectionSpec) -> dict[int, str]:
    if spec.metric != "cosine":
        return {}
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    off = np.flatnonzero(np.abs(lengths - 1) > _UNIT_ATOL).tolist()
    return {i: f"has a length of {lengths[i]:.6g}, not 1" for i in off}
