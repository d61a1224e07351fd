"""Two real processes over gloo, each of which calls a function of a test module."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import distributed as dist
from torch.multiprocessing.spawn import spawn

from training.common.distributed import DistributedContext
from training.common.machine import Machine

SIZE = 2


def in_two_processes(work: Callable[[Machine, Path], None], folder: Path) -> None:
    """Call `work` in both; it writes what it found into `folder`."""
    spawn(_begin, args=(work, folder), nprocs=SIZE)  # type: ignore[no-untyped-call]


def _begin(rank: int, work: Callable[[Machine, Path], None], folder: Path) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=SIZE)
    try:
        ranks = DistributedContext(rank, SIZE, rank)
        work(Machine(torch.device("cpu"), ranks, precision="float32"), folder)
    finally:
        dist.destroy_process_group()
