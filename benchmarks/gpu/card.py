"""The GPU of this machine, as NVIDIA's own command describes it."""

import subprocess
from importlib.metadata import distributions

from benchmarks.gpu.results import Card

_PACKAGES = ("nvidia-", "onnxruntime", "torch", "tensorrt", "triton")


def card() -> Card:
    """The first GPU. Raises OSError or CalledProcessError where nvidia-smi does not answer."""
    query = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version")
    shown = subprocess.run(
        (*query, "--format=csv,noheader,nounits"), check=True, capture_output=True, text=True
    )
    name, memory_mib, driver = shown.stdout.splitlines()[0].split(", ")
    return Card(name=name, memory_mib=int(memory_mib), driver=driver, packages=packages())


def packages() -> dict[str, str]:
    """Versions of the installed libraries that a GPU's answers and speed depend on."""
    found = {one.metadata["Name"].lower(): one.version for one in distributions()}
    return {name: found[name] for name in sorted(found) if name.startswith(_PACKAGES)}
