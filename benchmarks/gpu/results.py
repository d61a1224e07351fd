"""The result of the GPU check: the schema of its JSON file."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from benchmarks.measured import Machine
from benchmarks.serving.results import Report as Serving
from benchmarks.training.bundles import Bundles
from models.manifest import Frozen

Device = Literal["cpu", "cuda", "tensorrt"]
Part = Literal["sessions", "serving", "training"]


class Card(Frozen):
    """The GPU, its driver, and the libraries that use it."""

    name: str
    memory_mib: int
    driver: str
    packages: dict[str, str] = Field(description="version of each library, by its package's name")


class Agreement(Frozen):
    """Answers of one model on the device, held against the processor's on the same images."""

    model: str
    version: int
    device: Device
    images: int
    same_label: float = Field(description="share of images")
    embedding: float = Field(description="greatest absolute difference of any component")
    probability: float = Field(description="greatest absolute difference of any class")


class Throughput(Frozen):
    """Images per second of ONNX Runtime alone: pixels in memory to outputs in memory."""

    model: str
    version: int
    device: Device
    per_s: dict[int, float] = Field(description="by batch size; median of the rounds")


class Trouble(Frozen):
    """A part of the check that could not be done."""

    part: str
    reason: str


class GpuCheck(Frozen):
    """One run of the check; parts that could not be done are in `troubles`."""

    command: str
    date: datetime
    commit: str | None
    machine: Machine
    card: Card | None = Field(description="none in a rehearsal on the processor")
    agreements: tuple[Agreement, ...] = ()
    throughputs: tuple[Throughput, ...] = ()
    serving: dict[str, Serving] = Field({}, description="over HTTP, by the served version")
    bundles: Bundles | None = Field(None, description="from raw images to published bundles")
    troubles: tuple[Trouble, ...] = ()
