"""The protocol of a tracker, and the names of all."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from models.evidence.finding import Finding
from models.report import Epoch
from training.checkpoints.run import RunRecord

Ending = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class StepRow:
    """One optimizer step; `step` counts from 1 through the whole run, `epoch` from 1."""

    step: int
    epoch: int
    loss: float
    learning_rate: float
    images_per_second: float

    def scalars(self) -> dict[str, float]:
        """The numbers by the names that TensorBoard and MLflow show."""
        return {
            "step/loss": self.loss,
            "step/learning_rate": self.learning_rate,
            "step/images_per_second": self.images_per_second,
        }


@dataclass(frozen=True)
class EpochRow:
    """An epoch that ended at `step`, and what the doctor found since the one before."""

    step: int
    epoch: Epoch
    findings: tuple[Finding, ...]

    def scalars(self) -> dict[str, float]:
        """The numbers by the names that TensorBoard and MLflow show."""
        return {
            "epoch/loss": self.epoch.loss,
            "epoch/tuning_accuracy": self.epoch.tuning_accuracy,
            "epoch/seconds": self.epoch.seconds,
            **{f"diagnostics/{name}": value for name, value in self.epoch.diagnostics.items()},
        }

    def findings_text(self) -> tuple[str, ...]:
        """Each finding in a line."""
        return tuple(f"{one.severity} ({one.detector}): {one.sentence}" for one in self.findings)


@dataclass(frozen=True)
class TrackingStart:
    """The start of tracking: the run, its folder, and the number of steps before it.

    What an earlier process wrote about later steps was never saved in a checkpoint, and will
    happen again: a tracker drops it, or does not write it twice. `step` is None where training is
    over and only a result comes.
    """

    folder: Path
    record: RunRecord
    step: int | None

    def parameters(self) -> dict[str, str | int | float | bool]:
        """The recipe as flat names and plain values; the loss's own as `parameters.<name>`."""
        return dict(_flat("", self.record.recipe.model_dump(mode="json")))


@runtime_checkable
class Tracker(Protocol):
    """Somewhere that a run is written down as it goes.

    A row is written before the checkpoint that holds its step is saved, so nothing goes missing.
    """

    def step(self, row: StepRow) -> None:
        """Write down a step."""

    def epoch(self, row: EpochRow) -> None:
        """Write down an epoch; everything so far must outlive this process from here on."""

    def result(self, name: str, value: float) -> None:
        """Write down a number of the finished run, such as `test_accuracy`."""

    def close(self, ending: Ending) -> None:
        """Nothing more comes from this process."""


def _flat(prefix: str, fields: Mapping[str, object]) -> list[tuple[str, str | int | float | bool]]:
    flat: list[tuple[str, str | int | float | bool]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            flat += _flat(f"{prefix}{name}.", value)
        elif isinstance(value, str | int | float | bool):
            flat.append((prefix + name, value))
        else:
            flat.append((prefix + name, str(value)))
    return flat
