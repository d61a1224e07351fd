"""A collection: its items, and the view that finds them."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

import numpy as np

from service.collections import backup, reading, writing
from service.collections.checking import ready_items, ready_vectors
from service.collections.connections import Connections
from service.collections.errors import UnknownImage, UnknownItem
from service.collections.examining import check_whole
from service.collections.keeping import Keeper
from service.collections.layout import size_bytes
from service.collections.searching import Searcher
from service.collections.usage import Reason, Usage
from service.collections.values import (
    Backup,
    Facts,
    Hit,
    Item,
    Maintained,
    NewItem,
    OpenIndex,
    Page,
    Receipt,
    Search,
)
from service.collections.view import View
from service.index.protocol import Vectors


class Collection:
    """Every method may be called from any thread, and raises UnknownCollection once it is gone.

    A `Library` makes it. Its index is opened when it is first needed.
    """

    def __init__(self, folder: Path, open_index: OpenIndex) -> None:
        self._folder = folder
        self._open_index = open_index
        self._connections = Connections(folder)
        self._usage = Usage()
        self._opening = Lock()
        self._view: View | None = None
        self._searcher: Searcher | None = None
        self.spec = self._connections.spec
        self._keeper = Keeper(folder, self._connections)

    def put(self, items: Sequence[NewItem]) -> Receipt:
        """Add or replace items, all or none; they are durable when it returns.

        Of two items with one id the last one stays. Raises InvalidItems, StorageFull,
        CollectionBusy.
        """
        vectors = ready_items(items, self.spec)
        with self._usage.using(), self._connections.writing() as database:
            return writing.put(database, items, vectors)

    def delete(self, item_id: str) -> int:
        """Delete an item; the collection's sequence after it. Raises UnknownItem."""
        with self._usage.using(), self._connections.writing() as database:
            sequence = writing.delete(database, item_id)
            if sequence is None:
                raise UnknownItem(self.spec.name, item_id)
            return sequence

    def has(self, ids: Sequence[str]) -> list[bool]:
        """For each id, whether there is an item."""
        with self._reading() as database:
            there = reading.present(database, ids)
        return [item_id in there for item_id in ids]

    def get(self, item_id: str) -> Item:
        """The item of that id. Raises UnknownItem."""
        with self._reading() as database:
            return self._item(database, item_id)

    def image(self, item_id: str) -> bytes:
        """The image as it came. Raises UnknownItem and UnknownImage."""
        return self._picture(item_id, "image")

    def thumbnail(self, item_id: str) -> bytes:
        """Its JPEG thumbnail. Raises UnknownItem and UnknownImage."""
        return self._picture(item_id, "thumbnail")

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The stored vectors, in the order of the ids. Raises UnknownItem."""
        with self._reading() as database:
            there = reading.present(database, ids)
            for item_id in ids:
                if item_id not in there:
                    raise UnknownItem(self.spec.name, item_id)
            rows = np.array([there[item_id] for item_id in ids], np.int64)
            return reading.vectors(database, rows, self.spec.dimension)

    def page(self, after: int, limit: int) -> Page:
        """At most `limit` items, the first one that was put after row `after`; begin with 0."""
        with self._reading() as database:
            return reading.page(database, after, limit)

    def search(self, queries: Vectors, query: Search) -> list[list[Hit]]:
        """The min(k, n) nearest items of each query, nearest first, n items meeting the filter.

        It sees every write that was acknowledged before it began, by any process. Raises
        InvalidItems for queries that are no vectors, and InvalidFilter.
        """
        queries = ready_vectors(queries, self.spec)
        with self._usage.using():
            self._connections.confirm()
            return self._searching().search(queries, query)

    def facts(self) -> Facts:
        """How it stands."""
        with self._reading() as database:
            sequence, items = reading.counts(database)
            view = self._opened()
        index = view.index
        kind = index.kind_in_use if isinstance(index, Maintained) else self.spec.index
        return Facts(self.spec, items, sequence, kind, view.sequence, size_bytes(self._folder))

    def backup(self, folder: Path) -> Backup:
        """Copy the items, as they are at one moment, to `<name>-<sequence>.sqlite` in the folder.

        Its hash is beside it, for `sha256sum -c`. Raises CollectionDamaged, and then there is no
        copy.
        """
        with self._reading() as database:
            return backup.write(database, self.spec, folder)

    def check_whole(self) -> None:
        """Read all of it. Raises CollectionDamaged with the first thing that is not whole."""
        with self._reading() as database:
            check_whole(database, self.spec)

    def is_there(self) -> bool:
        """Whether its files are still in their place."""
        return self._connections.is_there()

    def maintain(self) -> None:
        """Bring the index up to date, build what is due, and save it where that is worth it."""
        with self._usage.using():
            self._connections.confirm()
            view = self._opened()
        self._keeper.keep(view)  # closing does not wait for a build

    def close(self, because: Reason) -> None:
        """Save the index and let go of the files; whoever comes later meets `because`."""
        with self._ending(because) as view:
            if view is not None and self.is_there():
                self._keeper.keep_last(view)

    def drop(self, because: Reason) -> None:
        """The same for a collection that was deleted, whose index nobody needs."""
        with self._ending(because):
            pass

    @contextmanager
    def _ending(self, because: Reason) -> Iterator[View | None]:
        if not self._usage.close(because):
            yield None
            return
        with ExitStack() as closing:
            closing.callback(self._connections.close)
            if self._view is not None:
                closing.callback(self._view.close)
            closing.callback(self._keeper.close)
            if self._view is not None:
                closing.callback(self._view.index.close)  # first, so that a build ends
            yield self._view

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._usage.using():
            self._connections.confirm()
            with self._connections.reading() as database:
                yield database

    def _item(self, database: sqlite3.Connection, item_id: str) -> Item:
        found = reading.item(database, item_id)
        if found is None:
            raise UnknownItem(self.spec.name, item_id)
        return found

    def _picture(self, item_id: str, kind: reading.Picture) -> bytes:
        with self._reading() as database:
            found = reading.picture(database, self._item(database, item_id).row, kind)
        if found is None:
            raise UnknownImage(self.spec.name, item_id, kind)
        return found

    def _searching(self) -> Searcher:
        view = self._opened()
        if self._searcher is None:
            self._searcher = Searcher(self._connections, view)
        return self._searcher

    def _opened(self) -> View:
        with self._opening:
            if self._view is None:
                self._view = View(self._connections, self._folder, self._open_index)
            return self._view
