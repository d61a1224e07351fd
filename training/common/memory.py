"""The way in which this process asks the system for memory."""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of glibc's malloc.h
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have malloc keep what is freed, for the next tensor; whether that could be set.

    A training step asks for the same large tensors each time. By default glibc gives them back
    to the system, which clears each page anew: a sixth of a step of the strong trunk on two
    cores. Nothing is done where there is no glibc, nor where the environment has settings of
    malloc's already.
    Source: mallopt(3).
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
