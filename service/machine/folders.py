"""Folders that the service can write, and the features lost without them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def can_write(folder: Path) -> bool:
    """Return whether files can be made in the folder: it exists and we may write to it."""
    return os.access(folder, os.W_OK | os.X_OK) and folder.is_dir()


def why_not_writable(folder: Path) -> str | None:
    """Explain why nothing can be written below that folder, which may not exist; None where it can.

    Nothing is made.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        return f"{there} is not a folder"
    if can_write(there):
        return None
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return f"{there} is on a read-only file system"
    return f"user {os.geteuid()} may not write {there}"


def can_share(*besides: Path) -> bool:
    """Return whether `shared_folder` finds a place."""
    try:
        tempfile.gettempdir()
    except OSError:  # no folder for temporary files can be written
        return any(why_not_writable(place) is None for place in besides)
    return True


@contextmanager
def shared_folder(*besides: Path) -> Iterator[Path]:
    """A new folder for as long as the block lasts, for files that processes share.

    It is where the system has temporary files, or else below the first of `besides` that can be
    written.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="lossatlas-workers-")
    except OSError:
        place = next(place for place in besides if why_not_writable(place) is None)
        place.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix=".workers-", dir=place)
    with made as folder:
        yield Path(folder)
