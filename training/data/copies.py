"""Images that stand in two splits: equal pixels, and near copies by perceptual hashes."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64

from models.evidence.leaks import Copy, Overlap, Split
from training.data.copy_features import places
from training.data.copy_search import (
    SEARCHED,
    CopySearch,
    NearestCopies,
    Pair,
    Step,
    searched_rows,
    silent,
)
from training.data.dataset import LabeledImages, Splits

_EXAMPLES = 10
_PAIRS: tuple[tuple[Split, Split], ...] = (
    ("test", "train"),
    ("test", "tuning"),
    ("test", "calibration"),
    ("tuning", "train"),
    ("calibration", "train"),
    ("calibration", "tuning"),
)


@dataclass(frozen=True)
class Copies:
    """The copies that were found, and the test images with a copy in another split."""

    overlaps: tuple[Overlap, ...]
    test_rows: Int64[np.ndarray, " m"]


def find_copies(splits: Splits) -> Copies:
    """Compare every two splits. 10,000 against 46,000 images take 25 s on one core."""
    parts = _parts(splits)
    search = CopySearch(parts, places(parts["train"].images.numpy()))
    overlaps, rows = [], []
    for one, other in _PAIRS:
        found = search.found(one, other)
        searched = len(searched_rows(len(parts[one])))
        overlaps.append(_overlap((one, other), parts, found, searched))
        if one == "test":
            rows += list(found.nearest)
    return Copies(tuple(overlaps), np.unique(np.array(rows, np.int64)))


def find_leaks(
    train: LabeledImages, test: LabeledImages, limit: int = SEARCHED, step: Step = silent
) -> tuple[Pair, ...]:
    """The test images with a copy among the training images: `row` is in `test`.

    `step` hears how many were compared, four times `count_searched(test, limit)` in all.
    """
    parts: dict[Split, LabeledImages] = {"train": train, "test": test}
    search = CopySearch(parts, places(train.images.numpy()), limit, step)
    return search.found("test", "train").pairs()


def find_duplicates(
    part: LabeledImages, limit: int = SEARCHED, step: Step = silent
) -> tuple[Pair, ...]:
    """The images with a copy among those before them; `step` as in `find_leaks`."""
    search = CopySearch({"train": part}, places(part.images.numpy()), limit, step)
    return search.found("train", "train").pairs()


def count_searched(part: LabeledImages, limit: int) -> int:
    """Count the images that are compared for near copies."""
    return min(limit, len(part))


def leaking_rows(
    train: LabeledImages, test: LabeledImages, *, near: bool
) -> Int64[np.ndarray, " m"]:
    """The rows of the training images without which no test image has a copy among the others.

    Near copies count where `near` says so. The search names one copy of a test image at a time, so
    it is repeated for those that had one.
    """
    there = {image.tobytes() for image in test.images.numpy()}
    dropped = np.array([image.tobytes() in there for image in train.images.numpy()], bool)
    asked = test
    while near and not dropped.all():
        kept = np.flatnonzero(~dropped)
        found = find_leaks(train.take(torch.from_numpy(kept)), asked, len(asked))
        if not found:
            break
        dropped[kept[[pair.other for pair in found]]] = True
        asked = asked.take(torch.tensor([pair.row for pair in found]))
    return np.flatnonzero(dropped)


def _parts(splits: Splits) -> dict[Split, LabeledImages]:
    return {
        "train": splits.train,
        "tuning": splits.tuning,
        "calibration": splits.calibration.read_to_calibrate(),  # to compare, not to choose by
        "test": splits.test,
    }


def _overlap(
    names: tuple[Split, Split],
    parts: dict[Split, LabeledImages],
    found: NearestCopies,
    searched: int,
) -> Overlap:
    one, other = (parts[name] for name in names)
    nearest = sorted(
        (difference, row, column) for row, (difference, column) in found.nearest.items()
    )
    return Overlap(
        split=names[0],
        other=names[1],
        images=len(one),
        searched=searched,
        exact=len(found.exact),
        near=len(found.nearest) - len(found.exact),
        crowded=len(found.crowded),
        examples=tuple(
            Copy(
                id=one.ids[row],
                of=other.ids[column],
                difference=difference,
                same_label=bool(one.labels[row] == other.labels[column]),
            )
            for difference, row, column in nearest[:_EXAMPLES]
        ),
    )
