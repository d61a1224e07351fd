"""A search: the index finds rows, the file has their items."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from service.collections import reading
from service.collections.connections import Connections
from service.collections.matching import rows_where
from service.collections.values import Hit, Item, Search
from service.collections.view import View
from service.index.protocol import Hits, Vectors

_TRIES = 3


class Moved(Exception):
    """Items that the index found or was told to look among are no longer there."""


def search(
    connections: Connections, view: View, queries: Vectors, query: Search
) -> list[list[Hit]]:
    """The nearest items of each query, of all that was acknowledged before the call.

    It gets in no writer's way. Where deletions keep disturbing it, the index has to stand still
    for one search, so that it ends.
    """
    for _ in range(_TRIES):
        try:
            return _beside_writers(connections, view, queries, query)
        except Moved:
            continue
    with view.still() as database:
        among = rows_where(database, query.where) if query.where else None
        hits = view.index.search(queries, _wanted(query), among)
        return _joined(database, hits, query)


def _beside_writers(
    connections: Connections, view: View, queries: Vectors, query: Search
) -> list[list[Hit]]:
    among, sequence = None, 0
    if query.where:
        with connections.reading() as database:
            sequence, _ = reading.counts(database)
            among = rows_where(database, query.where)
    view.catch_up()  # after the filter was read, so that the index has all of its rows
    hits = view.index.search(queries, _wanted(query), among)
    if among is not None and view.last_removal > sequence:
        raise Moved  # perhaps of a row that is filtered for, whose item has a new row
    with connections.reading() as database:
        return _joined(database, hits, query)


def _wanted(query: Search) -> int:
    return query.k + 1 if query.without else query.k


def _joined(database: sqlite3.Connection, hits: Hits, query: Search) -> list[list[Hit]]:
    unique = np.unique(hits.rows).tolist()
    items = reading.items_of(database, unique)
    if len(items) < len(unique):
        raise Moved
    without: Sequence[str | None] = query.without or [None] * len(hits.rows)
    return [
        list(_cut(items, zip(rows, scores, strict=True), query, left_out))
        for rows, scores, left_out in zip(
            hits.rows.tolist(), hits.scores.tolist(), without, strict=True
        )
    ]


def _cut(
    items: dict[int, Item], found: Iterable[tuple[int, float]], query: Search, left_out: str | None
) -> Iterator[Hit]:
    left = query.k
    for row, score in found:
        if left == 0 or (query.min_score is not None and score < query.min_score):
            return
        if items[row].id != left_out:
            yield Hit(items[row], score)
            left -= 1
