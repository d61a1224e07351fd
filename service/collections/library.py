"""All collections of one data folder."""

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread

import structlog

from service.collections.collection import Collection
from service.collections.errors import CollectionDamaged, UnknownCollection
from service.collections.items import DropIndex, OpenIndex
from service.collections.spec import CollectionSpec
from service.collections.storage import layout, schema
from service.collections.storage.connections import translated
from service.collections.storage.swap import recover
from service.collections.upkeep.refcount import Reason
from service.errors import IndexUnavailable, Stopping
from service.machine.folders import can_write
from service.machine.open_files import most_handles

_HANDLES = 12  # of an open collection: 8, and more while several read it at once
_BURST = 2  # times as many may be open until the thread comes round
_MOST_OPEN = 256

log = structlog.get_logger(__name__)


class Library:
    """Several processes may each have one on the same folder. Make it after forking.

    Args:
        folder: where the collections are, one folder for each.
        open_index: gives a collection's index.
        drop_index: deletes what a deleted collection's index keeps elsewhere, if it does.
        maintain_every_s: how often a thread looks after the indexes; never where it is none.
        most_open: collections that are held open, of which those used last stay; by default as
            the limit of open files has room for.
    """

    def __init__(
        self,
        folder: Path,
        open_index: OpenIndex,
        *,
        drop_index: DropIndex | None = None,
        maintain_every_s: float | None = 1.0,
        most_open: int | None = None,
    ) -> None:
        if can_write(folder):  # it is made with the first collection
            recover(folder)
            layout.sweep(folder)
        self._folder = folder
        self._open_index = open_index
        self._drop_index = drop_index
        self._open: dict[str, Collection] = {}
        self._opening = Lock()
        self._closing = Event()
        self._thread = Thread(target=self._look_after, name="collections", daemon=True)
        self._every_s = maintain_every_s
        self._most_open = room_for_collections() if most_open is None else most_open
        if maintain_every_s is not None:
            self._thread.start()

    def create(self, spec: CollectionSpec) -> tuple[Collection, bool]:
        """The collection of that spec, and whether this call made it.

        Raises InvalidCollectionName, and CollectionDiffers where one of that name is there that
        differs in more than when it was created.
        """
        layout.check_name(spec.name)
        with translated(spec.name):
            made = self._make(spec)
        collection = self.get(spec.name)
        collection.spec.require(spec.choices)
        return collection, made

    def get(self, name: str) -> Collection:
        """The collection of that name. Raises UnknownCollection and CollectionDamaged."""
        known = self._open.get(name)
        if known is not None and known.is_open() and known.is_there():
            return known
        with self._opening, translated(name):
            return self._found(name)

    def names(self) -> tuple[str, ...]:
        """Return the existing collections, sorted."""
        with translated(self._folder.name):
            return layout.names(self._folder)

    def delete(self, name: str) -> None:
        """Delete a collection and its files, damaged or not. Raises UnknownCollection."""
        if name not in self.names():
            raise self._unknown(name)
        with self._opening, translated(name):
            try:
                gone = layout.unmake(self._folder, name)
            except FileNotFoundError:
                raise self._unknown(name) from None
            known = self._open.pop(name, None)
        if known is not None:
            known.drop(partial(self._unknown, name))
        if self._drop_index is not None:
            self._drop(gone, name, self._drop_index)
        shutil.rmtree(gone, ignore_errors=True)

    def maintain(self) -> None:
        """Bring the indexes of the open collections up to date, build and save what is due.

        Those that other processes deleted are let go of, and so are those that were not used for
        longest, where many are open.
        """
        self._rest(self._most_open, saved=True)
        for name, collection in list(self._open.items()):
            if not collection.is_there():
                self._forget(name, collection)
                continue
            try:
                collection.maintain()
            except (UnknownCollection, Stopping):
                continue
            except Exception:
                # Of whatever kind: searches tell it to who asks, the next round tries again.
                log.exception("an index could not be looked after", collection=name)

    def close(self) -> None:
        """Save the indexes and let go of the files."""
        self._closing.set()
        with self._opening:
            for name, collection in self._open.items():
                _close(name, collection, Stopping)
            self._open.clear()
        if self._thread.is_alive():
            self._thread.join()

    def _drop(self, gone: Path, name: str, drop_index: DropIndex) -> None:
        try:
            with closing(schema.connect(gone / layout.ITEMS)) as database:
                spec = schema.read_spec(database, name)
            drop_index(spec)
        except (CollectionDamaged, IndexUnavailable, sqlite3.Error) as error:
            log.warning("a deleted collection's index stays", collection=name, reason=str(error))

    def _make(self, spec: CollectionSpec) -> bool:
        if (self._folder / spec.name).exists():
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        recover(self._folder)
        try:
            with layout.making(self._folder, spec.name) as folder:
                schema.make(folder / layout.ITEMS, spec)
        except FileExistsError:
            return False
        return True

    def _found(self, name: str) -> Collection:
        if self._closing.is_set():
            raise Stopping
        known = self._open.get(name)
        if known is not None and known.is_there() and known.wake():
            return known
        if known is not None:
            del self._open[name]
            _close(name, known, partial(self._unknown, name))
        if name not in self.names() and can_write(self._folder):
            recover(self._folder)  # it may be about to be replaced
        if name not in self.names():
            raise self._unknown(name)
        place = self._folder / name
        self._open[name] = Collection(place, self._open_index, self._make_room)
        return self._open[name]

    def _forget(self, name: str, collection: Collection) -> None:
        """Close a collection that is gone, or another by now, so that its disk is free."""
        with self._opening:
            if collection.is_there():
                return
            if self._open.get(name) is collection:
                del self._open[name]
        collection.drop(partial(self._unknown, name))

    def _make_room(self, urgently: bool) -> bool:
        return self._rest(0 if urgently else _BURST * self._most_open - 1, saved=False)

    def _rest(self, most: int, *, saved: bool) -> bool:
        """Have all but so many let go of their files, those used last staying; whether one did."""
        awake = sorted((one for one in list(self._open.values()) if one.is_open()), key=_used)
        rested = False
        for one in awake[: max(0, len(awake) - most)]:
            try:
                rested = one.rest(saved=saved) or rested
            except Exception:
                # Of whatever kind: the index is made again of the items, and its files are closed.
                log.exception("an index could not be saved", collection=one.spec.name)
                rested = True
        return rested

    def _unknown(self, name: str) -> UnknownCollection:
        return UnknownCollection(name, self.names())

    def _look_after(self) -> None:
        while not self._closing.wait(self._every_s):
            self.maintain()


def room_for_collections() -> int:
    """Return how many collections fit into half of the limit of open files."""
    return min(_MOST_OPEN, max(1, most_handles() // (2 * _BURST * _HANDLES)))


def _used(collection: Collection) -> float:
    return collection.used


def _close(name: str, collection: Collection, because: Reason) -> None:
    try:
        collection.close(because)
    except Exception:
        # Of whatever kind: the index is made again of the items, and others are to be closed too.
        log.exception("an index could not be saved", collection=name)
