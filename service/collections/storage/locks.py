"""Advisory locks between processes. Windows has none of these: there, one process is assumed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from service.machine.folders import can_write

if sys.platform != "win32":
    import fcntl


class FileLock:
    """A lock file that is open: it can be held by one such object at a time, on the machine.

    Where it cannot be written, it can be held all the same; where it cannot be made either, nobody
    needs to hold it, since nobody writes there.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = _open(path)

    def try_hold(self) -> bool:
        """Hold it, unless somebody else does."""
        return self._try(fcntl.LOCK_EX) if sys.platform != "win32" else True

    def try_share(self) -> bool:
        """Hold it together with others who share it, unless somebody holds it alone."""
        return self._try(fcntl.LOCK_SH) if sys.platform != "win32" else True

    def _try(self, how: int) -> bool:
        if sys.platform != "win32" and self._descriptor is not None:
            try:
                fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def hold(self, timeout_s: float) -> bool:
        """Hold it, waiting for at most that long."""
        until = monotonic() + timeout_s
        pause_s = 0.0002
        while not self.try_hold():
            if monotonic() > until:
                return False
            sleep(pause_s)
            pause_s = min(2 * pause_s, 0.01)
        return True

    def wait(self, *, shared: bool) -> None:
        """Hold it, however long that takes; with others who share it, or alone."""
        if sys.platform != "win32" and self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)

    def release(self) -> None:
        """Let others hold it."""
        if sys.platform != "win32" and self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release it and close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:
        if can_write(path.parent) or not path.parent.is_dir():
            raise
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """While nobody else is in `alone` or `together` of that path."""
    with _held(path, shared=False):
        yield


@contextmanager
def together(path: Path) -> Iterator[None]:
    """While nobody is in `alone` of that path."""
    with _held(path, shared=True):
        yield


@contextmanager
def _held(path: Path, *, shared: bool) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.wait(shared=shared)
        yield
    finally:
        lock.close()
