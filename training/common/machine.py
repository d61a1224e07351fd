"""The place of a training: the device, other processes that share the work, compiled or not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import torch
from torch import distributed as dist

from training.common.distributed import ALONE, DistributedContext
from training.errors import InvalidMachine

Precision = Literal["auto", "float32"]  # auto: bfloat16 where the hardware multiplies it
Computed = Literal["bfloat16", "float32"]

_LONGEST_WAIT = timedelta(hours=4)  # for the first process, while it decodes or evaluates


@dataclass(frozen=True)
class Machine:
    """The facts that decide the speed of a training, and nothing of the result but rounding."""

    device: torch.device
    ranks: DistributedContext = ALONE
    compiled: bool = False
    precision: Precision = "auto"

    @classmethod
    def here(cls) -> "Machine":
        """This process alone, on the GPU where there is one."""
        return cls(_device("auto", ALONE))

    @property
    def computed(self) -> Computed:
        """The precision of the network in training."""
        return "bfloat16" if self.precision == "auto" and has_bfloat16(self.device) else "float32"


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def launched() -> bool:
    """Return whether torchrun started this process."""
    return dist.is_torchelastic_launched()


def is_first() -> bool:
    """Return whether this process writes files and messages: torchrun's first, or the only one."""
    return not launched() or os.environ["RANK"] == "0"


def launcher() -> tuple[str, ...]:
    """The program that starts the processes of this training, on this machine."""
    if not launched():
        return ("python",)
    return ("torchrun", "--nproc-per-node", os.environ["LOCAL_WORLD_SIZE"])


@contextmanager
def machine(
    device: str = "auto", *, compiled: bool = False, precision: Precision = "auto"
) -> Iterator[Machine]:
    """The machine of this process, joined with the others that torchrun started.

    `device` is `auto`, `cpu` or `cuda`; each process has a GPU of its own. Raises InvalidMachine
    where there are too few.
    """
    ranks = _ranks() if launched() else ALONE
    found = Machine(_device(device, ranks), ranks, compiled, precision)
    if ranks.size == 1:
        yield found
        return
    # Small things are sent over gloo in any case, so that no GPU has to wait for them.
    backend = "cpu:gloo,cuda:nccl" if found.device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=_LONGEST_WAIT)
    try:
        yield found
    finally:
        dist.destroy_process_group()


def _ranks() -> DistributedContext:
    rank, size, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return DistributedContext(rank, size, local)


def _device(name: str, ranks: DistributedContext) -> torch.device:
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not gpus):
        return torch.device("cpu")
    if ranks.local >= gpus:
        raise InvalidMachine(
            f"process {ranks.local + 1} on this machine has no GPU of its own ({gpus} found): "
            "start fewer with --nproc-per-node, or use --device cpu"
        )
    device = torch.device("cuda", ranks.local)
    torch.cuda.set_device(device)
    return device
