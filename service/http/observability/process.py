"""Metrics of the processes themselves: build, workers, memory, processor time, room on the disk."""

import os
import shutil
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from models.version import VERSION

_PAGES = Path("/proc/self/statm")


class ProcessMetrics:
    """Those of one process; `note` brings them up to date."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._build = Gauge(
            "lossatlas_build_info", "Version of the service, 1 for each worker", ("version",),
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._wanted = Gauge(
            "lossatlas_workers_wanted", "Worker processes that there should be",
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._alive = Gauge(
            "lossatlas_workers_alive", "Worker processes that answer",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._memory = Gauge(
            "lossatlas_memory_bytes", "Resident memory of all workers; shared pages count in each",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._cpu = Counter(
            "lossatlas_cpu_seconds", "Processor time of all workers, ended ones too",
            registry=registry,
        )  # fmt: skip
        self._free = Gauge(
            "lossatlas_data_free_bytes", "Room on the disk of DATA_DIR",
            registry=registry, multiprocess_mode="livemin",
        )  # fmt: skip
        self._cpu_s = 0.0
        self._folder: Path | None = None

    def follow(self, workers: int, folder: Path) -> None:
        """Show this process as one of so many workers, with its data in `folder`."""
        self._build.labels(VERSION).set(1)
        self._wanted.set(workers)
        self._alive.set(1)
        self._folder = folder

    def note(self) -> None:
        """Note what changes all the time."""
        now_s = sum(os.times()[:2])
        self._cpu.inc(max(0.0, now_s - self._cpu_s))
        self._cpu_s = now_s
        if _PAGES.is_file():  # Linux
            pages = int(_PAGES.read_text(encoding="ascii").split()[1])
            self._memory.set(pages * os.sysconf("SC_PAGE_SIZE"))
        if self._folder is not None:
            self._free.set(shutil.disk_usage(_there(self._folder)).free)


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
