"""A search: the index finds rows, the file has their items."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Int64

from service.collections.items import Item, SearchHit
from service.collections.search.filter_sql import MatchCache
from service.collections.storage import reads
from service.collections.storage.connections import Connections
from service.collections.upkeep.view import CollectionView
from service.vectors.protocol import Hits, Vectors
from service.vectors.query import Search
from service.vectors.topk import NOBODY

_TRIES = 3

Among = Int64[np.ndarray, " r"]


class StaleHits(Exception):
    """Items that the index found or should look among are gone."""


class Searcher:
    """Searches one collection; threads may share it. It gets in no writer's way."""

    def __init__(self, connections: Connections, view: CollectionView) -> None:
        self._connections = connections
        self._view = view
        self._matches = MatchCache()

    def search(self, queries: Vectors, query: Search) -> list[list[SearchHit]]:
        """The nearest items of each query, of all that was acknowledged before the call."""
        for _ in range(_TRIES):
            try:
                return self._beside_writers(queries, query)
            except StaleHits:
                continue
        # Deletions keep disturbing it: so that it ends, the index stands still for one search.
        with self._view.still() as database:
            among = self._matches.rows(database, query.where)[1] if query.where else None
            hits = self._hits(queries, query, among)
            # An index that other processes write to may be ahead: what is newer is left out.
            return _joined(reads.items_of(database, _unique(hits)), hits, query)

    def _beside_writers(self, queries: Vectors, query: Search) -> list[list[SearchHit]]:
        among, sequence = None, 0
        if query.where:
            with self._connections.reading() as database:
                sequence, among = self._matches.rows(database, query.where)
        self._view.catch_up()  # after the filter was read, so that the index has all of its rows
        hits = self._hits(queries, query, among)
        rows = _unique(hits)
        with self._connections.reading() as database:
            if among is not None and np.isin(reads.removed(database, sequence), among).any():
                raise StaleHits  # its item may have a new row, which was not looked among
            items = reads.items_of(database, rows)
        if len(items) < len(rows):
            raise StaleHits
        return _joined(items, hits, query)

    def _hits(self, queries: Vectors, query: Search, among: Among | None) -> Hits:
        wanted = query.k + 1 if query.without else query.k
        return self._view.index.search(queries, wanted, among)


def _unique(hits: Hits) -> list[int]:
    rows: list[int] = np.unique(hits.rows[hits.rows != NOBODY]).tolist()
    return rows


def _joined(items: dict[int, Item], hits: Hits, query: Search) -> list[list[SearchHit]]:
    without: Sequence[str | None] = query.without or [None] * len(hits.rows)
    return [
        list(_cut(items, zip(rows, scores, strict=True), query, left_out))
        for rows, scores, left_out in zip(
            hits.rows.tolist(), hits.scores.tolist(), without, strict=True
        )
    ]


def _cut(
    items: dict[int, Item], found: Iterable[tuple[int, float]], query: Search, left_out: str | None
) -> Iterator[SearchHit]:
    left = query.k
    for row, score in found:
        if left == 0 or (query.min_score is not None and score < query.min_score):
            return
        item = items.get(row)
        if item is not None and item.id != left_out:
            yield SearchHit(item, score)
            left -= 1
