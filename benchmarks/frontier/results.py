"""The result of a run of the benchmark: the schema of its JSON file."""

from datetime import datetime

from pydantic import Field

from benchmarks.measured import Machine, Percentiles
from models.manifest import Frozen


class Point(Frozen):
    """One network: what it cost to train, what it knows, how fast it answers."""

    network: str = Field(description="backbone and widths")
    loss: str
    epochs: int
    parameters: int
    model_bytes: int
    training_s: float = Field(description="as the run's report has it, on its own hardware")
    trained_on: str = Field(description="the run's hardware")
    dataset: str
    accuracy: float = Field(ge=0, le=1, description="of the test images, as the report has it")
    test_images: int
    single: Percentiles = Field(description="of one image at a time")
    batch: Percentiles = Field(description="of a batch")
    images_per_s: float = Field(description="by the median batch")


class Report(Frozen):
    """All networks, on one machine."""

    command: str
    commit: str | None
    date: datetime
    machine: Machine
    versions: dict[str, str]
    batch_size: int
    threads: int
    points: tuple[Point, ...]
