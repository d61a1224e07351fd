"""Memory of this process, and bytes of a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

_PSS = (Path("/proc/self/smaps_rollup"), "Pss:")
_OWN = (Path("/proc/self/status"), "RssAnon:")
_PERIOD_S = 0.05


def pss_bytes() -> int:
    """Now; pages shared with other processes are divided between them."""
    return _read(*_PSS)


class Peak:
    """The most memory of its own, mapped files apart, beyond what there was at first."""

    def __init__(self) -> None:
        self._first = self._most = _read(*_OWN)

    @property
    def bytes(self) -> int:
        """So far."""
        return self._most - self._first

    def look(self) -> None:
        """Take note of what there is now."""
        self._most = max(self._most, _read(*_OWN))


@contextmanager
def watched() -> Iterator[Peak]:
    """Look at the memory twenty times a second."""
    peak, done = Peak(), Event()

    def watch() -> None:
        while not done.wait(_PERIOD_S):
            peak.look()

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.look()
        done.set()
        thread.join()


def disk_bytes(folder: Path) -> int:
    """Of all files below it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _read(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ValueError(f"{file} tells no {name}")
