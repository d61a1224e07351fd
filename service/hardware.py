"""What there is to run on: processors, and NVIDIA's driver."""

import contextlib
import ctypes
import os
import sys
from math import ceil
from pathlib import Path

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # what `docker run --cpus` sets


def processors() -> int:
    """Processors that this process may use: by its affinity, and by its container's quota."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return min(allowed, _quota() or allowed)


def load_driver() -> ctypes.CDLL:
    """NVIDIA's driver, which talks to the GPU. Raises OSError where there is none."""
    return ctypes.CDLL(_DRIVER)


def why_no_gpu() -> str | None:
    """Why NVIDIA's driver has no GPU for us; None where it has."""
    count = ctypes.c_int(0)
    try:
        driver = load_driver()
        answered = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    except OSError:
        return f"there is no NVIDIA driver ({_DRIVER})"
    return None if answered and count.value else "the NVIDIA driver reports no device"


def give_back_memory() -> None:
    """Return what was allocated and freed to the system; glibc keeps it otherwise.

    Loading a model frees as much as it keeps.
    """
    with contextlib.suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL(None).malloc_trim(0)


def _quota() -> int | None:
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no such file outside Linux and its newer cgroups
        return None
    return None if quota == "max" else ceil(int(quota) / int(period))
