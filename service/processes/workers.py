"""Several processes behind one port: how many, and what they wait for."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog

from models.atomic import replacing
from models.errors import ModelsError
from models.machine import memory_limit_bytes, processors
from service.errors import ServiceError
from service.machine.hardware import why_no_gpu
from service.registry.published import Version
from service.settings import Device

PROMETHEUS_DIR = "PROMETHEUS_MULTIPROC_DIR"  # the workers' folder, as prometheus-client reads it
EXIT_STARTUP_FAILED = 3  # a worker's exit code, as uvicorn has it

# Forked workers start sooner and share the memory of what was imported; they get a socket each,
# between which the kernel spreads connections evenly. Neither can be relied on elsewhere.
FORKED = sys.platform == "linux"

_MOST_WORKERS = 8  # each holds every model; where there are more processors, each uses several
_LOOK_S = 0.02
_ALIKE_S = 1.0
_PATIENCE_S = 30.0
_MIB = 2**20

# Two workers with the five models of this repository, 65 MB of files, after batches of 64
# photographs: 110 MiB for the process that watches them, most of it shared, and 180 MiB more for
# each worker (private pages; Linux x86-64, onnxruntime 1.31.1, n = 2). These leave a third of room.
_BASE_BYTES = 128 * _MIB
_WORKER_BYTES = 110 * _MIB
_BYTES_PER_BYTE = 2  # of a model's files: its weights, and what running them takes

log = structlog.get_logger(__name__)


class Versions(Protocol):
    """The models of one worker."""

    @property
    def answering(self) -> list[Version]:
        """Announce what is loaded."""
        ...

    async def engine(self, name: str, version: int) -> object:
        """Load a version."""
        ...


def default_workers(device: Device, models_bytes: int = 0) -> int:
    """One process for each processor, as far as memory goes; one alone where there is a GPU.

    `models_bytes` is the size of what each of them loads.
    """
    gpu = device in ("cuda", "tensorrt") or (device == "auto" and why_no_gpu() is None)
    if gpu:
        return 1
    wanted = min(processors(), _MOST_WORKERS)
    limit = memory_limit_bytes()
    if limit is None:
        return wanted
    each = worker_bytes(models_bytes)
    fitting = (limit - _BASE_BYTES) // each
    if fitting < wanted:
        log.warning(
            "the memory limit holds fewer workers than there are processors"
            if fitting > 0
            else "the memory limit may be too low for a single worker",
            workers=max(1, fitting),
            processors=processors(),
            limit_mib=limit // _MIB,
            needed_mib=(_BASE_BYTES + wanted * each) // _MIB,
        )
    return max(1, min(wanted, fitting))


def worker_bytes(models_bytes: int) -> int:
    """The memory to reckon with for each worker that loads that much."""
    return _WORKER_BYTES + _BYTES_PER_BYTE * models_bytes


def memory_advice(workers: int, models_bytes: int) -> str:
    """Return advice for workers that end for want of memory or for no known reason."""
    limit = memory_limit_bytes()
    given = f" (now {limit // _MIB} MiB)" if limit is not None else ""
    needed = (_BASE_BYTES + workers * worker_bytes(models_bytes)) // _MIB
    return (
        f"raise the memory limit{given} to about {needed} MiB for {workers} workers, or lower "
        f"--workers (each takes about {worker_bytes(models_bytes) // _MIB} MiB); an exit code "
        "other than a kill is explained above"
    )


async def wait_for_all_workers(folder: Path, workers: int, loaded: Sequence[Version] = ()) -> None:
    """Come back once all workers have come here, or after half a minute.

    Each leaves word of what it has loaded. A client keeps its connections: those opened while one
    worker alone listens would be its for good, and the others idle. A worker that replaces another
    finds that the others were here.
    """
    _leave_word(folder, loaded)
    for _ in range(round(_PATIENCE_S / _LOOK_S)):
        if len(list(folder.glob("here-*"))) >= workers:
            return
        await asyncio.sleep(_LOOK_S)


async def keep_alike(folder: Path, versions: Versions) -> None:
    """Load what another worker of that folder has loaded, for as long as this is not cancelled.

    An older version is loaded when it is first asked for. Where one worker alone had it, another
    could find its bundle damaged later, and one address would give two answers.
    """
    said: Sequence[Version] = ()
    while True:
        await asyncio.sleep(_ALIKE_S)
        for name, version in sorted(loaded_by_any(folder).difference(versions.answering)):
            with suppress(ModelsError, ServiceError):  # the catalog keeps it and says it
                await versions.engine(name, version)
        if versions.answering != said:
            said = versions.answering
            _leave_word(folder, said)


def _leave_word(folder: Path, loaded: Sequence[Version]) -> None:
    with replacing(folder / f"here-{os.getpid()}") as file:
        file.write_text("".join(f"{json.dumps(one)}\n" for one in loaded))


def loaded_by_any(folder: Path) -> set[Version]:
    """Return what any worker of that folder had loaded when it began to answer."""
    lines = (line for file in folder.glob("here-*") for line in file.read_text().splitlines())
    return {(name, version) for name, version in map(json.loads, lines)}
