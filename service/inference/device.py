"""The processor that runs the models, decided once at start and never silently."""

import base64
import contextlib
import os
from typing import Literal

import onnxruntime
import structlog

from service.errors import DeviceUnavailable
from service.machine.hardware import why_no_gpu
from service.settings import Device

Provider = Literal["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
TENSORRT: Provider = "TensorrtExecutionProvider"
CUDA: Provider = "CUDAExecutionProvider"
CPU: Provider = "CPUExecutionProvider"

# A whole ONNX model: one Identity node. Opening it shows which provider onnxruntime really uses.
_PROBE = base64.b64decode(
    "CAc6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0="
)
_MISSING: dict[Provider, str] = {
    CUDA: "install the extra 'cuda', which brings the CUDA and cuDNN libraries",
    TENSORRT: "install the extra 'cuda' and TensorRT 10, its libraries on LD_LIBRARY_PATH",
}
_ORDER: tuple[Provider, ...] = (TENSORRT, CUDA, CPU)
_BY_DEVICE: dict[str, Provider] = {"tensorrt": TENSORRT}

log = structlog.get_logger(__name__)


def choose_provider(device: Device) -> Provider:
    """The onnxruntime provider for this device setting.

    Raises DeviceUnavailable for `cuda` and `tensorrt` where onnxruntime would fall back to the
    processor; `auto` falls back from CUDA and says so when there is a GPU that cannot be used.
    """
    if device == "cpu":
        return CPU
    provider = _BY_DEVICE.get(device, CUDA)
    absent = _why_no_gpu(provider)
    reason = absent or _why_no_session(provider)
    if reason is None:
        return provider
    if device != "auto":
        raise DeviceUnavailable(
            f"device {device!r} cannot be used: {reason}. Or choose auto or cpu"
        )
    if not absent:
        log.warning("the GPU cannot be used", reason=reason, provider=CPU)
    return CPU


def providers(first: Provider) -> tuple[Provider, ...]:
    """`first`, and what runs the nodes that it cannot: TensorRT, then CUDA, then the processor."""
    return _ORDER[_ORDER.index(first) :]


def _why_no_gpu(provider: Provider) -> str | None:
    if provider not in onnxruntime.get_available_providers():
        return f"this onnxruntime is built without {provider}; install onnxruntime-gpu"
    return why_no_gpu()


def _why_no_session(provider: Provider) -> str | None:
    # TF32 keeps 10 bits of a factor: golden batches would not come back. TensorRT has no option
    # against it; NVIDIA's libraries read this variable when they are loaded.
    os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        onnxruntime.preload_dlls()  # prints what it misses; the session below says it again
    try:
        session = onnxruntime.InferenceSession(
            _PROBE, providers=providers(provider), enable_fallback=False
        )
    except RuntimeError:  # TensorRT's libraries are missing; CUDA's are only logged
        return _fell_back(provider)
    return None if session.get_providers()[0] == provider else _fell_back(provider)


def _fell_back(provider: Provider) -> str:
    return (
        f"onnxruntime cannot load {provider}, as its own message above explains; "
        + _MISSING[provider]
    )
