"""A search: the index finds rows, the file has their items."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Int64

from service.collections import reading
from service.collections.connections import Connections
from service.collections.matching import Matches
from service.collections.values import Hit, Item, Search
from service.collections.view import View
from service.index.protocol import Hits, Vectors

_TRIES = 3

Among = Int64[np.ndarray, " r"]


class Moved(Exception):
    """Items that the index found or was told to look among are no longer there."""


class Searcher:
    """Searches one collection; threads may share it. It gets in no writer's way."""

    def __init__(self, connections: Connections, view: View) -> None:
        self._connections = connections
        self._view = view
        self._matches = Matches()

    def search(self, queries: Vectors, query: Search) -> list[list[Hit]]:
        """The nearest items of each query, of all that was acknowledged before the call."""
        for _ in range(_TRIES):
            try:
                return self._beside_writers(queries, query)
            except Moved:
                continue
        # Deletions keep disturbing it: so that it ends, the index stands still for one search.
        with self._view.still() as database:
            among = self._matches.rows(database, query.where)[1] if query.where else None
            return _joined(database, self._hits(queries, query, among), query)

    def _beside_writers(self, queries: Vectors, query: Search) -> list[list[Hit]]:
        among, sequence = None, 0
        if query.where:
            with self._connections.reading() as database:
                sequence, among = self._matches.rows(database, query.where)
        self._view.catch_up()  # after the filter was read, so that the index has all of its rows
        hits = self._hits(queries, query, among)
        if among is not None and self._view.last_removal > sequence:
            raise Moved  # perhaps of a row that is filtered for, whose item has a new row
        with self._connections.reading() as database:
            return _joined(database, hits, query)

    def _hits(self, queries: Vectors, query: Search, among: Among | None) -> Hits:
        wanted = query.k + 1 if query.without else query.k
        return self._view.index.search(queries, wanted, among)


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
