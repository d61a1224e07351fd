"""Labeled images in memory: decoded once, uint8, ready to be augmented in batches."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from training.data.inventory import Inventory
from training.errors import CalibrationImagesRead, InvalidDataset

_OUT_OF_REACH = frozenset({"images", "labels", "ids", "take", "named"})


@dataclass(frozen=True)
class LabeledImages:
    """Images of one size with their class; `ids[i]` is image i's path inside the data set."""

    images: UInt8[Tensor, "n h w 3"]
    labels: Int64[Tensor, " n"]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int64[Tensor, " m"]) -> "LabeledImages":
        """The images at those rows, in that order."""
        ids = tuple(self.ids[row] for row in rows.tolist())
        return replace(self, images=self.images[rows], labels=self.labels[rows], ids=ids)

    def named(self, ids: tuple[str, ...]) -> dict[str, UInt8[np.ndarray, "h w 3"]]:
        """The images of those ids."""
        rows = {name: row for row, name in enumerate(self.ids)}
        return {name: self.images[rows[name]].numpy() for name in ids}


@dataclass(frozen=True)
class Dataset:
    """A data set as it came: training and test images over the same classes."""

    name: str
    edition: str
    sha256: str
    class_names: tuple[str, ...]
    train: LabeledImages
    test: LabeledImages
    inventory: Inventory | None = None
    """The contents of its folder; None for a data set that came without one."""
    dropped: tuple[str, ...] = ()
    """The training images that were left out as copies of test images."""

    def without(self, ids: tuple[str, ...]) -> "Dataset":
        """The data set without those training images, as another one: its sha256 differs.

        Without any, or where one of them is not there, it is the same one.
        """
        gone = frozenset(ids)
        if not gone or not gone <= frozenset(self.train.ids):
            return self
        kept = [row for row, name in enumerate(self.train.ids) if name not in gone]
        facts = "\n".join((self.sha256, *sorted(gone)))
        return replace(
            self,
            sha256=hashlib.sha256(facts.encode(errors="surrogateescape")).hexdigest(),
            train=self.train.take(torch.tensor(kept, dtype=torch.int64)),
            inventory=self.inventory and self.inventory.model_copy(update={"leaks": ()}),
            dropped=tuple(sorted(gone)),
        )

    def leave_out(self, names: tuple[str, ...]) -> "tuple[Dataset, LeftOutImages]":
        """The data set without those classes, its labels renumbered, and what was left out.

        Raises InvalidDataset for an unknown class, or fewer than two that remain.
        """
        if missing := sorted(set(names) - set(self.class_names)):
            raise InvalidDataset(
                f"no class {', '.join(missing)} to leave out of {self.name}; available: "
                f"{', '.join(self.class_names)}"
            )
        kept = tuple(name for name in self.class_names if name not in names)
        if len(kept) < 2:
            raise InvalidDataset(f"leaving out {', '.join(names)} leaves fewer than two classes")
        number = {name: label for label, name in enumerate(kept)}
        renumbered = torch.tensor([number.get(name, -1) for name in self.class_names])
        parts = [_parted(part, renumbered) for part in (self.train, self.test)]
        (train, left_train), (test, left_test) = parts
        known = replace(self, class_names=kept, train=train, test=test)
        return known, LeftOutImages(left_train, left_test)


@dataclass(frozen=True)
class LeftOutImages:
    """Images of the classes that a model never saw; their labels are -1."""

    train: LabeledImages
    test: LabeledImages


class CalibrationSplit:
    """The calibration split: images that are read once the weights are final.

    Whoever chooses a network, an epoch or a parameter by them makes its confidence look more
    honest than it is on new images, and every bound on its errors too hopeful. So nothing but
    their number is in reach until the weights of one finished run were loaded beside them
    (`training.checkpoints.networks.trained`), and nothing after those of a second one: networks are
    not compared by them. `read_to_calibrate` is for `training.calibration.calibrate` and for
    evaluations of calibrated networks, which a test keeps so.
    """

    def __init__(self, part: LabeledImages) -> None:
        self._part = part
        self._runs: set[Path] = set()

    def __len__(self) -> int:
        return len(self._part)

    def __getattr__(self, name: str) -> Any:
        if name not in _OUT_OF_REACH:
            raise AttributeError(name)
        if len(self._runs) != 1:
            loaded = f"the weights of {len(self._runs)} runs were loaded beside it"
            raise CalibrationImagesRead(
                f"{name!r} of the calibration split is for calibration alone, after the last "
                f"choice ({loaded}); choose and compare by the tuning split"
            )
        return getattr(self._part, name)

    def finished(self, run: Path) -> None:
        """The weights of that run are final, and were loaded."""
        self._runs.add(run)

    def read_to_calibrate(self) -> LabeledImages:
        """The images, for a network that nothing changes or chooses from here on."""
        return self._part


@dataclass(frozen=True)
class TrainingSplits:
    """The splits of a training and its choices: `train` for weights, `tuning` for choices."""

    train: LabeledImages
    tuning: LabeledImages


@dataclass(frozen=True)
class Splits(TrainingSplits):
    """The splits by use: `train` for weights, `tuning` for choices, `calibration` last."""

    calibration: CalibrationSplit
    test: LabeledImages


def _parted(
    part: LabeledImages, renumbered: Int64[Tensor, " c"]
) -> tuple[LabeledImages, LabeledImages]:
    labels = renumbered[part.labels]
    relabeled = replace(part, labels=labels)
    known, unknown = ((labels >= 0).nonzero().flatten(), (labels < 0).nonzero().flatten())
    return relabeled.take(known), relabeled.take(unknown)


def split(dataset: Dataset, holdout: float, seed: int) -> Splits:
    """Hold out two stratified shares of the training images, `holdout` of each class each.

    Of every class at least one image is held out for each. The split depends on `seed` and the
    labels alone; the test images are passed through.
    Raises InvalidDataset where too few images would leave a class untrained.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    for label, name in enumerate(dataset.class_names):
        rows = (dataset.train.labels == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        held = max(1, round(len(rows) * holdout))
        if 2 * held >= len(rows):
            raise InvalidDataset(
                f"class {name!r} has {len(rows)} training images: too few to hold out {holdout:g} "
                "of them twice"
            )
        pieces = torch.split(rows, [held, held, len(rows) - 2 * held])
        for part, piece in zip(parts, pieces, strict=True):
            part.append(piece)
    tuning, calibration, train = (
        dataset.train.take(torch.cat(part).sort().values) for part in parts
    )
    return Splits(train, tuning, CalibrationSplit(calibration), dataset.test)
