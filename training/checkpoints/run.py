"""A run folder: what was asked for, where training stands, what came out."""

import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from models.atomic import replacing
from models.code import commit
from models.manifest import Frozen
from models.report import DatasetRecord
from training.common.machine import Computed, launcher
from training.common.provenance import hardware, versions
from training.data.dataset import Dataset, Splits
from training.data.inventory import Inventory
from training.errors import InvalidRun
from training.recipes.recipe import Recipe


class RunRecord(Frozen):
    """The inputs of a run, kept beside its checkpoint as `run.json`."""

    recipe: Recipe
    source: str = Field(description="what --data named")
    dataset: DatasetRecord
    class_names: tuple[str, ...]
    command: str
    commit: str | None
    versions: dict[str, str]
    hardware: str
    precision: Computed | None = Field(
        default=None, description="of the network in training; null in runs from before it was kept"
    )
    inventory: Inventory | None = Field(default=None, description="what the data's folder held")


class RunFolder:
    """The files of one training run; every write replaces the file whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint_path = path / "checkpoint.pt"
        self.initial_path = path / "initial.pt"
        self._record_path = path / "run.json"

    @property
    def plane(self) -> "RunFolder":
        """The same run with a true 2-D embedding, if it was trained."""
        return RunFolder(self.path / "plane")

    def unknown_round(self, number: int) -> "RunFolder":
        """The same run without some classes, if it was trained."""
        return RunFolder(self.path / "unknowns" / str(number))

    def unknown_rounds(self) -> "tuple[RunFolder, ...]":
        """The runs without some classes that were trained, in order."""
        numbers = sorted(int(path.name) for path in (self.path / "unknowns").glob("[0-9]*"))
        return tuple(self.unknown_round(number) for number in numbers)

    @property
    def started(self) -> bool:
        """Return whether the folder already holds a run."""
        return self._record_path.is_file()

    def begin(self, record: RunRecord, initial: dict[str, Any]) -> None:
        """Write down what the run is, and the weights before training."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.save(self.initial_path, initial)
        self.write_text("run.json", record.model_dump_json(indent=2) + "\n")

    def record(self) -> RunRecord:
        """Read the inputs that the run was started with. Raises InvalidRun where nothing was."""
        if not self.started:
            raise InvalidRun(f"{self.path} holds no run; start one: python -m training fit")
        return RunRecord.model_validate_json(self._record_path.read_bytes())

    def save(self, path: Path, state: dict[str, Any]) -> None:
        """Replace `path` with tensors and plain values."""
        with replacing(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> dict[str, Any]:
        """Read what `save` wrote; only tensors and plain values, never code."""
        if not path.is_file():
            raise InvalidRun(f"{path} is missing; train first: python -m training fit")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state

    def write_text(self, name: str, text: str) -> Path:
        """Replace the text file `name` in the folder."""
        path = self.path / name
        with replacing(path) as temporary:
            temporary.write_text(text)
        return path


def describe(
    recipe: Recipe,
    source: str,
    dataset: Dataset,
    splits: Splits,
    precision: Computed | None = None,
) -> RunRecord:
    """The record of a run that starts now, on this machine, with this command line."""
    return RunRecord(
        recipe=recipe,
        source=source,
        dataset=DatasetRecord(
            name=dataset.name,
            edition=dataset.edition,
            sha256=dataset.sha256,
            train=len(splits.train),
            tuning=len(splits.tuning),
            calibration=len(splits.calibration),
            test=len(splits.test),
            dropped=dataset.dropped,
        ),
        class_names=dataset.class_names,
        command=shlex.join([*launcher(), "-m", "training", *sys.argv[1:]]),
        commit=commit(),
        versions=versions(),
        hardware=hardware(),
        precision=precision,
        inventory=dataset.inventory,
    )
