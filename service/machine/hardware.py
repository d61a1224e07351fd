"""The hardware for a run: NVIDIA's driver, and glibc's memory."""

import contextlib
import ctypes
import sys

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


def give_back_memory() -> None:
    """Return what was allocated and freed to the system; glibc keeps it otherwise.

    Loading a model frees as much as it keeps.
    """
    with contextlib.suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL(None).malloc_trim(0)
