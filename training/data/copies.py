"""Images that stand in two splits: equal pixels, and near copies by perceptual hashes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int64

from models.evidence.leaks import Copy, Overlap, Split
from training.data.dataset import LabelledImages, Splits
from training.data.hashes import dhash, phash

LARGEST_DISTANCE = 10
LARGEST_DIFFERENCE = 24.0
_OF_ITS_CONTRAST = 0.6
_SEARCHED = 20_000
_ROWS, _COLUMNS = 500, 50_000
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
    """What was found, and which test images have a copy, exact or near, in another split."""

    overlaps: tuple[Overlap, ...]
    test_rows: Int64[np.ndarray, " m"]


@dataclass
class _Found:
    """The nearest copy of each row that has one."""

    nearest: dict[int, tuple[float, int]] = field(default_factory=dict)

    def add(self, row: int, other: int, difference: float) -> None:
        if row not in self.nearest or difference < self.nearest[row][0]:
            self.nearest[row] = (difference, other)


def find_copies(splits: Splits) -> Copies:
    """Compare every two splits. 10,000 against 46,000 images take 10 s on one core."""
    parts = _parts(splits)
    hashes = {name: _hashes(part) for name, part in parts.items()}
    overlaps, rows = [], []
    for one, other in _PAIRS:
        found = _exact(parts[one], parts[other])
        searched = _searched(len(parts[one]))
        for row, column in _alike(hashes[one], hashes[other], searched):
            _check(found, parts[one], parts[other], row, column)
        overlaps.append(_overlap((one, other), parts, found, len(searched)))
        if one == "test":
            rows += list(found.nearest)
    return Copies(tuple(overlaps), np.unique(np.array(rows, np.int64)))


def _parts(splits: Splits) -> dict[Split, LabelledImages]:
    return {
        "train": splits.train,
        "tuning": splits.tuning,
        "calibration": splits.calibration.read_to_calibrate(),  # to compare, not to choose by
        "test": splits.test,
    }


def _searched(count: int) -> Int64[np.ndarray, " m"]:
    rows: Int64[np.ndarray, " m"] = np.sort(np.random.default_rng(0).permutation(count)[:_SEARCHED])
    return rows


def _exact(part: LabelledImages, other: LabelledImages) -> _Found:
    first: dict[bytes, int] = {}
    for column, image in enumerate(other.images.numpy()):
        first.setdefault(image.tobytes(), column)
    found = _Found()
    for row, image in enumerate(part.images.numpy()):
        if (same := first.get(image.tobytes())) is not None:
            found.add(row, same, 0.0)
    return found


def _hashes(part: LabelledImages) -> tuple[Float32[np.ndarray, "n 64"], ...]:
    """Bits as -1 and 1, whose products count the bits that two hashes share."""
    images = part.images.numpy()
    return tuple(2 * bits.astype(np.float32) - 1 for bits in (dhash(images), phash(images)))


def _alike(
    ours: tuple[np.ndarray, ...], theirs: tuple[np.ndarray, ...], searched: np.ndarray
) -> Iterator[tuple[int, int]]:
    """Rows and columns whose hashes of either kind differ in few bits."""
    least = 64 - 2 * LARGEST_DISTANCE
    for start in range(0, len(searched), _ROWS):
        rows = searched[start : start + _ROWS]
        for left in range(0, len(theirs[0]), _COLUMNS):
            columns = slice(left, left + _COLUMNS)
            near = np.zeros((len(rows), len(theirs[0][columns])), bool)
            for own, other in zip(ours, theirs, strict=True):
                near |= own[rows] @ other[columns].T >= least
            for place, column in np.argwhere(near).tolist():
                yield int(rows[place]), left + column


def _check(
    found: _Found, part: LabelledImages, other: LabelledImages, row: int, column: int
) -> None:
    image = part.images[row].numpy().astype(np.float64)
    difference = float(np.abs(image - other.images[column].numpy()).mean())
    if difference <= min(LARGEST_DIFFERENCE, _OF_ITS_CONTRAST * _contrast(image)):
        found.add(row, column, difference)


def _contrast(image: Float64[np.ndarray, "h w 3"]) -> float:
    return float(np.abs(image - image.mean(axis=(0, 1))).mean())


def _overlap(
    names: tuple[Split, Split], parts: dict[Split, LabelledImages], found: _Found, searched: int
) -> Overlap:
    one, other = (parts[name] for name in names)
    exact = sum(difference == 0 for difference, _ in found.nearest.values())
    nearest = sorted(
        (difference, row, column) for row, (difference, column) in found.nearest.items()
    )
    return Overlap(
        split=names[0],
        other=names[1],
        images=len(one),
        searched=searched,
        exact=exact,
        near=len(found.nearest) - exact,
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
