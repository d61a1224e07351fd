"""The planes of collections: made when asked for, kept beside the items until these change."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

import structlog

from service.collections.collection import Collection
from service.collections.planes.plane import CollectionPlane, Layout, read, write
from service.collections.planes.principal import principal
from service.machine.folders import can_write

Progress = Literal["ready", "computing", "failed"]
FOLDER = "planes"
_ROOT = Path(__file__).resolve().parents[3]

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class PlaneState:
    """A plane, perhaps of an earlier sequence, and whether the collection's own is being made."""

    plane: CollectionPlane | None
    state: Progress


class PlaneShelf:
    """The planes that one process serves. Any thread may ask."""

    def __init__(self) -> None:
        self._making = Lock()  # one plane at a time: each reads all of a collection
        self._children: dict[Path, subprocess.Popen[bytes]] = {}
        self._failed: dict[Path, int] = {}  # the sequence whose plane could not be made

    def plane(self, collection: Collection, layout: Layout) -> PlaneState:
        """The plane in that layout. The principal one is made now, the other in the background."""
        path = collection.folder / FOLDER / f"{layout}.npz"
        plane = _of(collection, read(path))
        sequence = collection.sequence()
        if plane is not None and plane.sequence == sequence:
            return PlaneState(plane, "ready")
        if layout == "principal":
            return PlaneState(self._principal(collection, path), "ready")
        return PlaneState(plane, self._start(collection, path, sequence))

    def stored(self, collection: Collection, layout: Layout) -> CollectionPlane | None:
        """The plane that was made last, whatever has changed since."""
        return _of(collection, read(collection.folder / FOLDER / f"{layout}.npz"))

    def close(self) -> None:
        """End what is being made."""
        with self._making:
            for child in self._children.values():
                child.kill()
                child.wait()
            self._children.clear()

    def _principal(self, collection: Collection, path: Path) -> CollectionPlane:
        with self._making:
            plane = _of(collection, read(path))  # another thread may have made it meanwhile
            if plane is not None and plane.sequence == collection.sequence():
                return plane
            made = collection.see(lambda database: principal(database, collection.spec))
            if can_write(collection.folder):
                write(path, made)
            return made

    def _start(self, collection: Collection, path: Path, sequence: int) -> Progress:
        with self._making:
            child = self._children.get(path)
            if child is not None and child.poll() is None:
                return "computing"
            if child is not None:
                del self._children[path]
                if child.returncode:
                    log.error("a plane cannot be made", collection=collection.spec.name)
                    self._failed[path] = sequence
            if self._failed.get(path) == sequence or not can_write(collection.folder):
                return "failed"
            if any(one.poll() is None for one in self._children.values()):
                return "computing"  # after the other one
            path.parent.mkdir(exist_ok=True)
            self._children[path] = _child(collection.folder, path)
            return "computing"


def _of(collection: Collection, plane: CollectionPlane | None) -> CollectionPlane | None:
    """The plane, if it is of this collection and of no earlier one of its name."""
    return plane if plane is not None and plane.key == collection.spec.key else None


def _child(folder: Path, target: Path) -> subprocess.Popen[bytes]:
    job = {"folder": str(folder.resolve()), "target": str(target.resolve()), "parent": os.getpid()}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LOSSATLAS_")}
    return subprocess.Popen(
        (sys.executable, "-P", "-m", "service.collections.planes.child", json.dumps(job)),
        stdin=subprocess.DEVNULL,
        env={**ours, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # an interrupt from the keyboard is for the service
    )
