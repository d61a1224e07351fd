"""Labelled images in memory: decoded once, uint8, ready to be augmented in batches."""

from dataclasses import dataclass

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from training.errors import InvalidDataset


@dataclass(frozen=True)
class LabelledImages:
    """Images of one size with their class; `ids[i]` is image i's path inside the data set."""

    images: UInt8[Tensor, "n h w 3"]
    labels: Int64[Tensor, " n"]
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int64[Tensor, " m"]) -> "LabelledImages":
        """The images at those rows, in that order."""
        ids = tuple(self.ids[row] for row in rows.tolist())
        return LabelledImages(self.images[rows], self.labels[rows], ids)


@dataclass(frozen=True)
class Dataset:
    """A data set as it came: training and test images over the same classes."""

    name: str
    edition: str
    sha256: str
    class_names: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages


@dataclass(frozen=True)
class Splits:
    """Who may see what: weights see `train`, choices `tuning`, the temperature `calibration`."""

    train: LabelledImages
    tuning: LabelledImages
    calibration: LabelledImages
    test: LabelledImages


def split(dataset: Dataset, holdout: float, seed: int) -> Splits:
    """Hold out two stratified shares of the training images, `holdout` of each class each.

    The split depends on `seed` and the labels alone; the test images are passed through.
    Raises InvalidDataset where too few images leave a class untrained, or nothing held out.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
    for label, name in enumerate(dataset.class_names):
        rows = (dataset.train.labels == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        held = round(len(rows) * holdout)
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
    if not len(tuning):
        raise InvalidDataset(
            f"{holdout:g} of each class's training images is less than one image; tuning and "
            f"calibration need one class with at least {int(0.5 / holdout) + 1}"
        )
    return Splits(train, tuning, calibration, dataset.test)
