"""Several processes behind one port: how many, how they start, and what they wait for."""

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import structlog

from models.machine import processors
from service.hardware import why_no_gpu
from service.settings import Device

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # the workers' folder; prometheus-client reads the variable
CANNOT_START = 3  # a worker's exit code, as uvicorn has it

# Forked workers start sooner and share the memory of what was imported; they get a socket each,
# between which the kernel spreads connections evenly. Neither can be relied on elsewhere.
FORKED = sys.platform == "linux"

_MOST_WORKERS = 8  # each holds every model; where there are more processors, each uses several
_LOOK_S = 0.02
_PATIENCE_S = 30.0
_WATCH_S = 0.2
_LEAST_LIFE_S = 1.0  # who lives less is not replaced before that time

Serve = Callable[[socket.socket], None]

log = structlog.get_logger(__name__)


def default_workers(device: Device) -> int:
    """One process for each processor; one alone where there is a GPU, which it should own."""
    gpu = device in ("cuda", "tensorrt") or (device == "auto" and why_no_gpu() is None)
    return 1 if gpu else min(processors(), _MOST_WORKERS)


def supervise(serve: Serve, listeners: Sequence[socket.socket], grace_s: float) -> int:
    """Serve on each socket in a process of its own until SIGINT or SIGTERM; who dies is replaced.

    Workers then have `grace_s` seconds to end. Returns the exit code: CANNOT_START where a worker
    says that, else 0.
    """
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    workers = [_Worker(serve, listener) for listener in listeners]
    try:
        while not stopping.wait(_WATCH_S):
            ended = [worker for worker in workers if not worker.process.is_alive()]
            if any(worker.process.exitcode == CANNOT_START for worker in ended):
                return CANNOT_START
            for worker in ended:
                worker.replace()
        return 0
    finally:
        for worker in workers:
            worker.process.terminate()
        until = monotonic() + grace_s
        for worker in workers:
            worker.end(until)


class _Worker:
    def __init__(self, serve: Serve, listener: socket.socket) -> None:
        self._serve = serve
        self._listener = listener
        self.process = self._start()

    def replace(self) -> None:
        if monotonic() - self._started > _LEAST_LIFE_S:
            log.warning("worker died", process=self.process.pid, code=self.process.exitcode)
            self.process = self._start()

    def end(self, until: float) -> None:
        self.process.join(max(0.0, until - monotonic()))
        self.process.kill()
        self.process.join()

    def _start(self) -> BaseProcess:
        self._started = monotonic()
        arguments = (self._serve, self._listener)
        process = (
            multiprocessing.get_context("fork").Process(target=_work, args=arguments)
            if FORKED
            else multiprocessing.get_context("spawn").Process(target=_work, args=arguments)
        )
        process.start()
        return process


def _work(serve: Serve, listener: socket.socket) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with_parent, daemon=True).start()
    serve(listener)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # however it ended
        os.kill(os.getpid(), signal.SIGTERM)


async def meet(folder: Path, workers: int) -> None:
    """Come back once all workers have come here, or after half a minute.

    A client keeps its connections: those opened while one worker alone listens would be its for
    good, and the others idle. A worker that replaces another finds that the others were here.
    """
    (folder / f"here-{os.getpid()}").touch()
    for _ in range(round(_PATIENCE_S / _LOOK_S)):
        if len(list(folder.glob("here-*"))) >= workers:
            return
        await asyncio.sleep(_LOOK_S)
