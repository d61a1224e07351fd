"""The ground of all tests: types are checked, nothing is sent, and the kinds of tests.

The shapes and types of arrays in annotations are checked wherever the tests call the code, and only
there.
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
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

_ROOT = Path(__file__).parents[1]


def _modules_with_shapes() -> Iterator[str]:
    """The modules that annotate arrays; of all others mypy has checked the types.

    The rest would take seven seconds of each process to instrument.
    """
    yield "service.vectors"
    for part in ("training", "service/collections", "service/inference"):
        for file in (_ROOT / part).rglob("*.py"):
            if file.name != "__init__.py" and "jaxtyping" in file.read_text(encoding="utf-8"):
                yield ".".join(file.relative_to(_ROOT).with_suffix("").parts)


# Before anything imports them: a module imported earlier would go unchecked.
install_import_hook(list(_modules_with_shapes()), "beartype.beartype")

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
    "variant",
    "vulnerabilities",
)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what comes later, so that one word chooses it."""
    for item in items:
        if any(item.get_closest_marker(kind) for kind in LATER):
            item.add_marker("later")
