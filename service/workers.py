"""Several processes behind one port: how many, how they start, and what they wait for."""

import asyncio
import multiprocessing
import os
import socket
import sys
from pathlib import Path

import uvicorn
import uvicorn._subprocess
from uvicorn.supervisors import Multiprocess

from service.hardware import processors, why_no_gpu
from service.settings import Device

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # the workers' folder; prometheus-client reads the variable

_MOST_WORKERS = 8  # each holds every model; where there are more processors, each uses several
_LOOK_S = 0.02
_PATIENCE_S = 30.0


def default_workers(device: Device) -> int:
    """One process for each processor; one alone where there is a GPU, which it should own."""
    gpu = device in ("cuda", "tensorrt") or (device == "auto" and why_no_gpu() is None)
    return 1 if gpu else min(processors(), _MOST_WORKERS)


def supervise(config: uvicorn.Config, listener: socket.socket) -> None:
    """Run the workers until interrupted; who dies is replaced.

    On Linux they are forked from this process, which has imported everything and begun nothing:
    they start sooner, and share that memory. Elsewhere each starts from the beginning.
    """
    if sys.platform == "linux":
        context = multiprocessing.get_context("fork")
        uvicorn._subprocess.spawn = context  # type: ignore[assignment]
    Multiprocess(config, sockets=[listener]).run()


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
