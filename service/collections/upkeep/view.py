"""The index of a collection in this process, and how it follows the items."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from service.collections.items import DroppableIndex, OpenIndex
from service.collections.storage import reads
from service.collections.storage.connections import Connections
from service.collections.storage.layout import INDEX
from service.vectors.protocol import Rows, VectorIndex, Vectors


class CollectionView:
    """The searchable state. It reflects `sequence`, which only grows."""

    def __init__(self, connections: Connections, folder: Path, open_index: OpenIndex) -> None:
        self._connections = connections
        self._spec = connections.spec
        self._following = Lock()
        self._reader = connections.reader()
        self._seen: int | None = None  # SQLite's count of others' commits, at the last catch-up
        try:
            self.index, self.sequence = self._opened(folder / INDEX, open_index)
        except BaseException:
            connections.retire(self._reader)
            raise
        self.opened_at = self._added = self.sequence

    def catch_up(self) -> None:
        """Reflect at least every write that was acknowledged before this call."""
        with self._following:
            (version,) = self._reader.execute("PRAGMA data_version").fetchone()
            if version != self._seen:
                with self._transaction():
                    self._follow()
                self._seen = version

    @contextmanager
    def still(self) -> Iterator[sqlite3.Connection]:
        """While the index stands still, with a transaction that sees just what it reflects."""
        with self._following, self._transaction():
            self._follow()
            yield self._reader

    def close(self) -> None:
        """Let go of the connection; the index is closed before."""
        self._connections.retire(self._reader)

    def _opened(self, folder: Path, open_index: OpenIndex) -> tuple[VectorIndex, int]:
        index, sequence = open_index(self._spec, folder, self._fetch)
        if sequence <= reads.counts(self._reader)[0]:
            return index, sequence
        # It is of other items: the files were exchanged by hand.
        if isinstance(index, DroppableIndex):
            index.drop()
        index.close()
        shutil.rmtree(folder, ignore_errors=True)
        return open_index(self._spec, folder, self._fetch)

    def _fetch(self, rows: Rows) -> Vectors:
        with self._connections.reading() as database:
            return reads.vectors(database, rows, self._spec.dimension)

    def _follow(self) -> None:
        until, _ = reads.counts(self._reader)
        while self.sequence < until:
            self._apply(reads.changes(self._reader, self.sequence, self._spec.dimension))

    def _apply(self, changes: reads.Changes) -> None:
        # First added, then removed: a search in between finds the old and the new row of an item
        # that was replaced, sees that the old one is gone, and looks again.
        new = changes.rows > self._added  # all, unless the removal failed the last time
        if new.any():
            self.index.add(changes.rows[new], changes.vectors[new])
            self._added = int(changes.rows[-1])
        if len(changes.removed):
            self.index.remove(changes.removed)
        self.sequence = changes.until

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connections.translated():
            self._reader.execute("BEGIN")
            try:
                yield
            finally:
                self._reader.execute("ROLLBACK")
