"""The hardware for a run: NVIDIA's driver, and glibc's memory."""

import contextlib
import ctypes
import platform
import sys
from pathlib import Path

_INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "asimddp"})
_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def load_driver() -> ctypes.CDLL:
    """NVIDIA's driver, which talks to the GPU. Raises OSError where there is none."""
    return ctypes.CDLL(_DRIVER)


def why_no_gpu() -> str | None:
    """Explain why NVIDIA's driver has no GPU for us; None where it has."""
    count = ctypes.c_int(0)
    try:
        driver = load_driver()
        answered = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    except OSError:
        return f"there is no NVIDIA driver ({_DRIVER})"
    return None if answered and count.value else "the NVIDIA driver reports no device"


def multiplies_int8(root: Path = Path("/")) -> bool:
    """Return whether the processor has instructions for dot products of int8.

    That is VNNI on x86 and the dot product extension on arm64. Without them int8 gains little,
    and onnxruntime's kernels for x86 may saturate.
    """
    if sys.platform == "darwin":
        return platform.machine() == "arm64"  # every Mac with Apple's processor has it
    try:
        described = (root / "proc" / "cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return not _INT8_FLAGS.isdisjoint(described.split())


def give_back_memory() -> None:
    """Return what was allocated and freed to the system; glibc keeps it otherwise.

    Loading a model frees as much as it keeps.
    """
    with contextlib.suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL(None).malloc_trim(0)
