"""The open parts of a collection: its connections, and the index that follows its items."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from service.collections.items import OpenIndex
from service.collections.search.search import Searcher
from service.collections.storage.connections import Connections, translated
from service.collections.upkeep.maintainer import IndexMaintainer
from service.collections.upkeep.view import CollectionView
from service.errors import TooManyOpenFiles

Room = Callable[[bool], bool]
"""Has others let go of their files; urgently where none can be opened. Whether one did."""


def open_files(folder: Path, open_index: OpenIndex, room: Room) -> "OpenCollection":
    """Open a collection, with room made for it before, and once more where that was too little.

    Raises UnknownCollection, CollectionDamaged, TooManyOpenFiles.
    """
    room(False)
    try:
        with translated(folder.name):
            return OpenCollection(folder, open_index)
    except TooManyOpenFiles:
        if not room(True):
            raise
        with translated(folder.name):
            return OpenCollection(folder, open_index)


class OpenCollection:
    """About ten file handles, and an index in memory once it was asked for."""

    def __init__(self, folder: Path, open_index: OpenIndex) -> None:
        self.connections = Connections(folder)
        try:
            self.keeper = IndexMaintainer(folder, self.connections)
        except BaseException as error:
            self.connections.close()
            if isinstance(error, FileNotFoundError):  # deleted since the connections were opened
                raise self.connections.unknown() from None
            raise
        self._folder = folder
        self._open_index = open_index
        self._opening = Lock()
        self._view: CollectionView | None = None
        self._searcher: Searcher | None = None

    def view(self) -> CollectionView:
        """The index, which is opened when it is first needed."""
        with self._opening:
            if self._view is None:
                self._view = CollectionView(self.connections, self._folder, self._open_index)
            return self._view

    def searcher(self) -> Searcher:
        """Return the searcher of the index."""
        view = self.view()
        if self._searcher is None:
            self._searcher = Searcher(self.connections, view)
        return self._searcher

    def close(self, *, saved: bool) -> None:
        """Let go of all, once nobody is inside; the index is saved first where that is wanted."""
        with ExitStack() as closing:
            closing.callback(self.connections.close)
            if self._view is not None:
                closing.callback(self._view.close)
            closing.callback(self.keeper.close)
            if self._view is not None:
                closing.callback(self._view.index.close)  # first, so that a build ends
                if saved:
                    self.keeper.keep_last(self._view)
