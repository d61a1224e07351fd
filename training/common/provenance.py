"""The origins of a result besides its recipe and its code: packages and hardware."""

import os
import platform

import torch

from models import code

_PACKAGES = ("torch", "torchvision", "onnx", "onnxruntime-gpu", "onnxruntime", "numpy", "pillow")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide results."""
    return code.versions(_PACKAGES)


def hardware() -> str:
    """The processor or GPU that computes, and how many threads or cores."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {os.cpu_count()} CPU cores"
    capability = torch.backends.cpu.get_cpu_capability()
    name = torch.cpu.get_capabilities().get("cpu_name") or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads, {capability}, no GPU"
