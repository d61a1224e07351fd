"""The result of a run of the benchmark: the schema of its JSON file."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from benchmarks.measured import Machine
from models.manifest import Frozen

Side = Literal["ours", "peer"]
Way = Literal["ours", "loop", "metric-learning"]
Source = Literal["memory", "files"]


class LossJob(Frozen):
    """One loss's forward and backward on one batch, in a process of its own, on one thread."""

    kind: Literal["loss"] = "loss"
    loss: str
    side: Side
    batch: int = Field(ge=2)
    classes: int = Field(ge=2)
    repeats: int = Field(ge=1)
    seconds: float = Field(gt=0, description="after which no repeat is begun")
    limit_mib: int = Field(gt=0, description="of address space beyond what the imports took")
    turn: int = Field(default=0, ge=0, description="which of the processes it gets")

    @property
    def title(self) -> str:
        """For the progress bar."""
        what = f"{self.batch:,} embeddings of {self.classes:,} classes"
        return f"{self.loss} ({self.side}), {what}, turn {self.turn + 1}"


class EpochJob(Frozen):
    """One network trained for two epochs, in a process of its own."""

    kind: Literal["epoch"] = "epoch"
    backbone: str
    way: Way
    source: Source
    workers: int = Field(ge=0, description="processes of the DataLoader")
    images: int = Field(ge=20)
    batch: int = Field(ge=2)
    threads: int = Field(ge=1)

    @property
    def title(self) -> str:
        """For the progress bar."""
        return f"{self.backbone}: {self.way}, {self.source}, {self.workers} workers"


class LossRun(Frozen):
    """Of the repeats after the warm-up."""

    job: LossJob
    median_ms: float | None = Field(
        description="None where it wanted more than limit_mib or a minute"
    )
    least_ms: float | None
    repeats: int
    allocated_bytes: int | None = Field(description="most that PyTorch held at once, beyond inputs")
    value: float | None = Field(description="the loss")


class EpochRun(Frozen):
    """The first epoch warms up; the second is the one to compare."""

    job: EpochJob
    steps: int = Field(description="of an epoch")
    first_s: float
    epoch_s: float = Field(description="the second epoch's steps, evaluation left out")
    evaluation_s: float | None = Field(description="ours: evaluation and diagnostics of an epoch")
    loss: float = Field(description="the mean of the second epoch's")
    accuracy: float = Field(description="of held-out images, after two epochs, without margin")

    @property
    def per_s(self) -> float:
        """Images."""
        return self.steps * self.job.batch / self.epoch_s


Job = LossJob | EpochJob
Result = LossRun | EpochRun


class Settings(Frozen):
    """The settings of the measurement."""

    batches: tuple[int, ...] = Field(description="of embeddings of 10 classes")
    many_classes: tuple[int, int] = Field(description="batch and classes of the extra cells")
    repeats: int
    seconds: float
    turns: int = Field(default=1, ge=1, description="processes of each loss and of its peer")
    limit_mib: int
    images: dict[str, int] = Field(description="in an epoch, by backbone")
    batch: int = Field(description="images in a training step")
    threads: int


class Report(Frozen):
    """One run of the benchmark."""

    schema_version: Literal[1] = 1
    command: str
    date: datetime
    commit: str | None = Field(description="of the code; with + where files differ from it")
    complete: bool
    machine: Machine
    versions: dict[str, str]
    gpu: str | None = Field(description="none was available where None")
    settings: Settings
    losses: tuple[LossRun, ...] = ()
    epochs: tuple[EpochRun, ...] = ()

    @property
    def done(self) -> frozenset[str]:
        """The jobs that were measured, as JSON."""
        jobs: list[Job] = [*(run.job for run in self.losses), *(run.job for run in self.epochs)]
        return frozenset(job.model_dump_json() for job in jobs)

    def with_result(self, result: Result) -> "Report":
        """And this."""
        if isinstance(result, LossRun):
            return self.model_copy(update={"losses": (*self.losses, result)})
        return self.model_copy(update={"epochs": (*self.epochs, result)})
