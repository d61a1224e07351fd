"""Randomness that depends on the seed and a place in the run alone, so that a run can resume."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def generator(seed: int, *place: int) -> torch.Generator:
    """Random numbers for that place."""
    return torch.Generator().manual_seed(_number(seed, place))


@contextmanager
def seeded(device: torch.device, seed: int, *place: int) -> Iterator[None]:
    """Inside it, PyTorch's own randomness is the place's; afterwards it is as it was."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(_number(seed, place))
        yield


def _number(seed: int, place: tuple[int, ...]) -> int:
    words = np.random.SeedSequence([seed, *place]).generate_state(2)
    return int(words[0]) << 31 | int(words[1]) >> 1
