"""Which processor runs the models, decided once at start and never silently."""

import base64
import contextlib
import ctypes
import os
import sys
from typing import Literal

import onnxruntime
import structlog

from service.errors import DeviceUnavailable
from service.settings import Device

Provider = Literal["CUDAExecutionProvider", "CPUExecutionProvider"]
CUDA: Provider = "CUDAExecutionProvider"
CPU: Provider = "CPUExecutionProvider"

# A whole ONNX model: one Identity node. Opening it shows which provider onnxruntime really uses.
_PROBE = base64.b64decode(
    "CAc6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0="
)
_NO_LIBRARIES = (
    "onnxruntime fell back to the CPU, as its own message above explains; "
    "install the extra 'cuda', which brings the CUDA and cuDNN libraries"
)

log = structlog.get_logger(__name__)


def choose_provider(device: Device) -> Provider:
    """The onnxruntime provider for this device setting.

    Raises DeviceUnavailable for `cuda` where onnxruntime would fall back to the processor;
    `auto` falls back and says so when there is a GPU that cannot be used.
    """
    if device == "cpu":
        return CPU
    absent = _why_no_gpu()
    reason = absent or _why_no_cuda_session()
    if reason is None:
        return CUDA
    if device == "cuda":
        raise DeviceUnavailable(f"device 'cuda' cannot be used: {reason}. Or choose auto or cpu")
    if not absent:
        log.warning("the GPU cannot be used", reason=reason, provider=CPU)
    return CPU


def _why_no_gpu() -> str | None:
    if CUDA not in onnxruntime.get_available_providers():
        return "this onnxruntime is built without CUDA; install onnxruntime-gpu"
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(library)
        answered = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    except OSError:
        return f"there is no NVIDIA driver ({library})"
    return None if answered and count.value else "the NVIDIA driver reports no device"


def _why_no_cuda_session() -> str | None:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        onnxruntime.preload_dlls()  # prints what it misses; the session below says it again
    session = onnxruntime.InferenceSession(_PROBE, providers=[CUDA, CPU])
    return None if CUDA in session.get_providers() else _NO_LIBRARIES
