"""The ground of all tests: types are checked, nothing is sent, and the kinds of tests.

Shapes and types in annotations are checked wherever the tests call the code, and only there.
"""

import signal
import sys
from types import ModuleType

import pytest
from jaxtyping import install_import_hook

from models.telemetry import send_nothing

# Before a test file imports onnxruntime, and for the processes that tests start.
send_nothing()

# Ctrl-C is tested by sending it; a shell that starts us in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

# pytorch-metric-learning, which losses are compared with, would import what puts other methods into
# FAISS's indexes, for PyTorch's tensors; they lack `params`. The service never meets them.
sys.modules["faiss.contrib.torch_utils"] = ModuleType("faiss.contrib.torch_utils")

# Before anything imports them: a module imported earlier would go unchecked. Of the service, the
# parts that handle arrays: beartype cannot take the `Self` of a pydantic validator in the others.
install_import_hook(
    [
        "training",
        "service.inference.buckets",
        "service.collections",
        "service.inference.cuda",
        "service.inference.decode",
        "service.inference.device",
        "service.vectors",
        "service.inference.session",
    ],
    "beartype.beartype",
)

# What `make test` leaves to `make test-rest`; pyproject.toml says what each kind is.
LATER = (
    "bench",
    "browser",
    "compile",
    "container",
    "docs",
    "milvus",
    "published",
    "ray",
    "simulation",
    "torchrun",
    "torture",
    "trained",
)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what comes later, so that one word chooses it."""
    for item in items:
        if any(item.get_closest_marker(kind) for kind in LATER):
            item.add_marker("later")
