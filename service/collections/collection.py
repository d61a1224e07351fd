"""A collection: its items, and the view that finds them."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TypeVar

import numpy as np

from service.collections.admission import ready_items, ready_vectors
from service.collections.errors import UnknownCollection, UnknownImage
from service.collections.items import (
    Backup,
    CollectionState,
    Item,
    Labeled,
    MaintainedIndex,
    NewItem,
    OpenIndex,
    Page,
    Receipt,
    SearchHit,
)
from service.collections.open_collection import OpenCollection, Room, open_files
from service.collections.storage import backup, reads, writes
from service.collections.storage.connections import file_in, translated
from service.collections.storage.integrity import check_whole
from service.collections.storage.layout import size_bytes
from service.collections.upkeep.refcount import Reason, RefCount
from service.vectors.errors import UnknownItem
from service.vectors.protocol import Vectors
from service.vectors.query import Search

_T = TypeVar("_T")


class Collection:
    """Every method may be called from any thread, and raises UnknownCollection once it is gone.

    A `Library` makes it. Its index is opened when it is first needed. It may rest meanwhile, and
    opens its files again for whoever uses it next.

    >>> from tempfile import TemporaryDirectory
    >>> from service.collections import CollectionSpec, Library
    >>> from service.vectors import ExactIndex
    >>> def open_index(spec, folder, fetch):
    ...     return ExactIndex(spec.dimension, spec.metric), 0  # reflects nothing yet
    >>> spec = CollectionSpec(
    ...     "pets", "softmax", 1, "0" * 64, metric="cosine", dimension=2, index="exact",
    ...     keep_images=False, created="2026-11-29T00:00:00+00:00",
    ... )
    >>> temporary = TemporaryDirectory()
    >>> library = Library(Path(temporary.name), open_index, maintain_every_s=None)
    >>> pets, made = library.create(spec)
    >>> tom = NewItem("tom", np.array([3, 4], np.float32), "cat", {"year": 2020})
    >>> pets.put([tom]).replaced
    (False,)
    >>> (nearest,) = pets.search(np.array([[3, 4]], np.float32), Search(k=1))
    >>> [(hit.item.id, hit.item.label, round(hit.score, 3)) for hit in nearest]
    [('tom', 'cat', 1.0)]
    >>> library.close()
    >>> temporary.cleanup()
    """

    def __init__(self, folder: Path, open_index: OpenIndex, room: Room) -> None:
        self._folder = folder
        self._open = partial(open_files, folder, open_index, room)
        self._usage = RefCount()
        self._waking = Lock()
        self._opened: OpenCollection | None = self._open()
        self._file = self._opened.connections.file
        self.spec = self._opened.connections.spec
        self.used = monotonic()  # when it was last

    def put(self, items: Sequence[NewItem]) -> Receipt:
        """Add or replace items, all or none; they are durable when it returns.

        Of two items with one id the last one stays. Raises InvalidItems, StorageFull,
        CollectionBusy.
        """
        vectors = ready_items(items, self.spec)
        with self._using() as opened, opened.connections.writing() as database:
            return writes.put(database, items, vectors)

    def delete(self, item_id: str) -> int:
        """Delete an item; the collection's sequence after it. Raises UnknownItem."""
        with self._using() as opened, opened.connections.writing() as database:
            sequence = writes.delete(database, item_id)
            if sequence is None:
                raise UnknownItem(self.spec.name, item_id)
            return sequence

    def relabel(self, item_id: str, label: str | None) -> int:
        """Give an item another label; the collection's sequence after it. Raises UnknownItem."""
        with self._using() as opened, opened.connections.writing() as database:
            sequence = writes.relabel(database, item_id, label)
            if sequence is None:
                raise UnknownItem(self.spec.name, item_id)
            return sequence

    def stored(self, ids: Sequence[str]) -> list[NewItem]:
        """The items of these ids as they can be put elsewhere, in their order, pictures and all.

        Raises UnknownItem.
        """
        vectors = self.vectors(ids)
        with self._reading() as database:
            found = [self._item(database, item_id) for item_id in ids]
            return [
                NewItem(
                    item.id,
                    vector,
                    item.label,
                    item.metadata,
                    reads.picture(database, item.row, "image") if item.has_image else None,
                    reads.picture(database, item.row, "thumbnail") if item.has_thumbnail else None,
                )
                for item, vector in zip(found, vectors, strict=True)
            ]

    def has(self, ids: Sequence[str]) -> list[bool]:
        """For each id, whether there is an item."""
        with self._reading() as database:
            there = reads.present(database, ids)
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
            there = reads.present(database, ids)
            for item_id in ids:
                if item_id not in there:
                    raise UnknownItem(self.spec.name, item_id)
            rows = np.array([there[item_id] for item_id in ids], np.int64)
            return reads.vectors(database, rows, self.spec.dimension)

    def counts(self) -> tuple[int, int]:
        """The sequence, and how many items there are."""
        with self._reading() as database:
            return reads.counts(database)

    def labeled(self) -> tuple[int, list[reads.LabeledRow], Vectors]:
        """The sequence, every item's row, id and label, and its vector, as of one moment."""
        with self._reading() as database:
            sequence, _ = reads.counts(database)
            return (sequence, *reads.labeled(database, self.spec.dimension))

    def labeled_sample(self, most: int) -> Labeled:
        """Vectors and labels of the items that have one; of more than `most` a sample."""
        with self._reading() as database:
            found = reads.labeled_sample(database, most, self.spec.dimension)
        names, labels = np.unique(np.array(found.labels, dtype=object), return_inverse=True)
        return Labeled(
            found.sequence,
            found.total,
            found.unlabeled,
            ready_vectors(found.vectors, self.spec),
            labels.astype(np.int64),
            tuple(names.tolist()),
        )

    def page(self, after: int, limit: int) -> Page:
        """At most `limit` items, the first one that was put after row `after`; begin with 0."""
        with self._reading() as database:
            return reads.page(database, after, limit)

    def search(self, queries: Vectors, query: Search) -> list[list[SearchHit]]:
        """The min(k, n) nearest items of each query, nearest first, n items meeting the filter.

        It sees every write that was acknowledged before it began, by any process. Raises
        InvalidItems for queries that are no vectors, and InvalidFilter.
        """
        queries = ready_vectors(queries, self.spec)
        with self._using() as opened:
            opened.connections.confirm()
            return opened.searcher().search(queries, query)

    def facts(self) -> CollectionState:
        """Return its state."""
        with self._using() as opened:
            opened.connections.confirm()
            with opened.connections.reading() as database:
                sequence, items = reads.counts(database)
            view = opened.view()
        index = view.index
        kind = index.kind_in_use if isinstance(index, MaintainedIndex) else self.spec.index
        return CollectionState(
            self.spec, items, sequence, kind, view.sequence, size_bytes(self._folder)
        )

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self._folder

    def sequence(self) -> int:
        """Return how many changes there were."""
        return self.see(lambda database: reads.counts(database)[0])

    def see(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what `work` makes of the items at one moment; it may only read."""
        with self._reading() as database:
            return work(database)

    def ids(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Rows and ids of at most `limit` items, the first one that was put after row `after`."""
        with self._reading() as database:
            return reads.ids(database, after, limit)

    def backup(self, folder: Path) -> Backup:
        """Copy the items, as they are at one moment, to `<name>-<sequence>.sqlite` in the folder.

        Its hash is beside it, for `sha256sum -c`. Raises CollectionDamaged, and then there is no
        copy.
        """
        with self._reading() as database:
            return backup.write(database, self.spec, folder)

    def backup_to(self, file: Path) -> Backup:
        """Do the same to a file of any name, whose older content is replaced."""
        with self._reading() as database:
            return backup.write_to(database, self.spec, file)

    def check_whole(self) -> None:
        """Read all of it. Raises CollectionDamaged with the first thing that is not whole."""
        with self._reading() as database:
            check_whole(database, self.spec)

    def is_there(self) -> bool:
        """Return whether its files are still in their place."""
        return file_in(self._folder) == self._file

    def is_open(self) -> bool:
        """Return whether it holds its files open."""
        return self._opened is not None

    def wake(self) -> bool:
        """Open it, if it rests; False where it is gone, or another one has its place."""
        try:
            with self._using():
                return True
        except UnknownCollection:
            return False

    def maintain(self) -> None:
        """Bring the index up to date, build what is due, and save it where that is worth it.

        Nothing is done for a collection that rests.
        """
        with self._usage.using():
            opened = self._opened
            if opened is None:
                return
            opened.connections.confirm()
            view = opened.view()
        opened.keeper.keep(view)  # closing does not wait for a build

    def rest(self, *, saved: bool) -> bool:
        """Let go of files and index until it is used again; whether that could be done now.

        It cannot while somebody uses it or its index is being built. The index is saved first
        where that is wanted, and otherwise caught up when it is opened again.
        """
        with self._usage.pausing() as free:
            opened = self._opened
            if not free or opened is None or opened.keeper.is_busy():
                return False
            self._opened = None
            opened.close(saved=saved and self.is_there())
            return True

    def close(self, because: Reason) -> None:
        """Save the index and let go of the files; whoever comes later meets `because`."""
        self._end(because, saved=True)

    def drop(self, because: Reason) -> None:
        """The same for a collection that was deleted, whose index nobody needs."""
        self._end(because, saved=False)

    def _end(self, because: Reason, *, saved: bool) -> None:
        if self._usage.close(because) and self._opened is not None:
            self._opened.close(saved=saved and self.is_there())

    @contextmanager
    def _using(self) -> Iterator[OpenCollection]:
        with self._usage.using(), translated(self.spec.name):
            self.used = monotonic()
            yield self._awake()

    def _awake(self) -> OpenCollection:
        with self._waking:
            if self._opened is None:
                opened = self._open()
                # A file's number may be given again once nobody holds it.
                found = (opened.connections.file, opened.connections.spec)
                if found != (self._file, self.spec):
                    opened.close(saved=False)
                    raise opened.connections.unknown()
                self._opened = opened
            return self._opened

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._using() as opened:
            opened.connections.confirm()
            with opened.connections.reading() as database:
                yield database

    def _item(self, database: sqlite3.Connection, item_id: str) -> Item:
        found = reads.item(database, item_id)
        if found is None:
            raise UnknownItem(self.spec.name, item_id)
        return found

    def _picture(self, item_id: str, kind: reads.Picture) -> bytes:
        with self._reading() as database:
            found = reads.picture(database, self._item(database, item_id).row, kind)
        if found is None:
            raise UnknownImage(self.spec.name, item_id, kind)
        return found
