"""The times at which an index is built and saved, and by whom."""

from pathlib import Path
from threading import Lock

from service.collections.items import MaintainedIndex
from service.collections.storage.connections import Connections
from service.collections.storage.layout import INDEX, LIBRARY_LOCK, SAVE_LOCK
from service.collections.storage.locks import FileLock, together
from service.collections.upkeep.view import CollectionView
from service.machine.folders import can_write

# Saving writes all of an index; catching up reads only what is new. With this much left unsaved,
# the catch-up at the next start is a small part of loading the rest.
_CHANGES = 5_000
_SHARE_OF_ITEMS = 0.1


class IndexMaintainer:
    """Looks after the index of one collection. Of several processes one saves, until it ends."""

    def __init__(self, folder: Path, connections: Connections) -> None:
        self._folder = folder / INDEX
        self._library_lock = folder.parent / LIBRARY_LOCK
        self._connections = connections
        self._saver = FileLock(folder / SAVE_LOCK)
        self._at_work = Lock()
        self._stopped = False
        self._saved = 0  # the sequence that the files reflect, as far as this process knows

    def is_busy(self) -> bool:
        """Return whether `keep` is at work, such as on a build."""
        return self._at_work.locked()

    def keep(self, view: CollectionView) -> None:
        """Catch up, build what is due, and save where enough is new."""
        with self._at_work:
            if self._stopped:
                return
            view.catch_up()
            if isinstance(view.index, MaintainedIndex):
                built = view.index.maintain()  # takes as long as a build takes
                if (built or self._worth_saving(view)) and not self._stopped:
                    self._save(view, view.index)

    def keep_last(self, view: CollectionView) -> None:
        """Catch up and save whatever is new; `keep` does nothing more."""
        self._stopped = True
        view.catch_up()
        if isinstance(view.index, MaintainedIndex) and self._unsaved(view):
            self._save(view, view.index)

    def close(self) -> None:
        """Wait for `keep` to come to its end, which closing the index hastens."""
        self._stopped = True
        with self._at_work:
            self._saver.close()  # another process may save

    def _unsaved(self, view: CollectionView) -> int:
        return view.sequence - max(self._saved, view.opened_at)

    def _worth_saving(self, view: CollectionView) -> bool:
        unsaved = self._unsaved(view)
        return unsaved > _CHANGES and unsaved > _SHARE_OF_ITEMS * len(view.index)

    def _save(self, view: CollectionView, index: MaintainedIndex) -> None:
        if not can_write(self._folder.parent) or not self._saver.try_hold():
            return
        # Nobody puts another collection in the folder's place meanwhile.
        with together(self._library_lock):
            self._connections.confirm()
            sequence = view.sequence  # the index may hold more by the time it is written
            index.save(self._folder, sequence, self._connections.spec.model_sha256)
        self._saved = sequence
