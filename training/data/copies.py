"""Images that stand in two splits: equal pixels, and near copies by perceptual hashes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int64

from models.evidence.leaks import Copy, Overlap, Split
from training.data.alike import Change, Places, Signs, changed, crowd, places, signs
from training.data.dataset import LabeledImages, Splits

LARGEST_DISTANCE = 10
LARGEST_DIFFERENCE = 24.0
_OF_ITS_CONTRAST = 0.6
_OF_THE_CROWD = 0.55
_SEARCHED = 20_000
_ROWS = 200
_CANDIDATES = 30
_EXAMPLES = 10
_CHANGES: tuple[tuple[Change, Change], ...] = (
    ("as it is", "as it is"),
    ("mirrored", "as it is"),
    ("zoomed", "as it is"),
    ("as it is", "zoomed"),
)
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


@dataclass
class _NearestCopies:
    """The nearest copy of each row that has one, which are exact, and what is alike in a crowd."""

    nearest: dict[int, tuple[float, int]] = field(default_factory=dict)
    exact: frozenset[int] = frozenset()
    crowded: set[int] = field(default_factory=set)

    def add(self, row: int, other: int, difference: float) -> None:
        if row not in self.nearest or difference < self.nearest[row][0]:
            self.nearest[row] = (difference, other)


def find_copies(splits: Splits) -> Copies:
    """Compare every two splits. 10,000 against 46,000 images take 25 s on one core."""
    parts = _parts(splits)
    search = _Search(parts, places(parts["train"].images.numpy()))
    overlaps, rows = [], []
    for one, other in _PAIRS:
        found = search.found(one, other)
        searched = len(_searched(len(parts[one])))
        overlaps.append(_overlap((one, other), parts, found, searched))
        if one == "test":
            rows += list(found.nearest)
    return Copies(tuple(overlaps), np.unique(np.array(rows, np.int64)))


@dataclass
class _Search:
    """Looks for copies; `crowded` are the places of the training images, among which it judges."""

    parts: dict[Split, LabeledImages]
    crowded: Places
    _signs: dict[tuple[Split, Change], Signs] = field(default_factory=dict)

    def found(self, one: Split, other: Split) -> _NearestCopies:
        part, against = self.parts[one], self.parts[other]
        found, rows = _exact(part, against), _searched(len(part))
        for own, theirs in _CHANGES:
            least: dict[int, tuple[float, int]] = {}
            for row, columns in _alike(self._of(one, own), self._of(other, theirs), rows):
                pair = _closest(part, against, (row, columns), (own, theirs))
                if pair is not None:
                    least[row] = pair
            self._judge(found, least, (part, against), (own, theirs))
        found.crowded -= found.nearest.keys()
        return found

    def _judge(
        self,
        found: _NearestCopies,
        least: dict[int, tuple[float, int]],
        parts: tuple[LabeledImages, LabeledImages],
        changes: tuple[Change, Change],
    ) -> None:
        """An image is a copy of what is much nearer to it than the tenth nearest image is."""
        if not least:
            return
        rows = np.array(list(least))
        columns = np.array([column for _, column in least.values()])
        ours, theirs = (
            places(part.images[taken].numpy(), change)
            for part, taken, change in zip(parts, (rows, columns), changes, strict=True)
        )
        near = np.linalg.norm(ours - theirs, axis=1) <= _OF_THE_CROWD * crowd(ours, self.crowded)
        for row, is_copy in zip(rows.tolist(), near.tolist(), strict=True):
            difference, column = least[row]
            if is_copy:
                found.add(row, column, difference)
            else:
                found.crowded.add(row)

    def _of(self, name: Split, change: Change) -> Signs:
        if (name, change) not in self._signs:
            self._signs[name, change] = signs(self.parts[name].images.numpy(), change)
        return self._signs[name, change]


def _parts(splits: Splits) -> dict[Split, LabeledImages]:
    return {
        "train": splits.train,
        "tuning": splits.tuning,
        "calibration": splits.calibration.read_to_calibrate(),  # to compare, not to choose by
        "test": splits.test,
    }


def _searched(count: int) -> Int64[np.ndarray, " m"]:
    rows: Int64[np.ndarray, " m"] = np.sort(np.random.default_rng(0).permutation(count)[:_SEARCHED])
    return rows


def _exact(part: LabeledImages, other: LabeledImages) -> _NearestCopies:
    first: dict[bytes, int] = {}
    for column, image in enumerate(other.images.numpy()):
        first.setdefault(image.tobytes(), column)
    found = _NearestCopies()
    for row, image in enumerate(part.images.numpy()):
        if (same := first.get(image.tobytes())) is not None:
            found.add(row, same, 0.0)
    found.exact = frozenset(found.nearest)
    return found


def _alike(
    ours: Signs, theirs: Signs, searched: Int64[np.ndarray, " m"]
) -> Iterator[tuple[int, Int64[np.ndarray, " c"]]]:
    """Rows with the columns whose hashes of either kind differ in few bits, the nearest ones."""
    least = 64 - 2 * LARGEST_DISTANCE
    for start in range(0, len(searched), _ROWS):
        rows = searched[start : start + _ROWS]
        shared = np.maximum(*(own[rows] @ other.T for own, other in zip(ours, theirs, strict=True)))
        for place in np.flatnonzero(shared.max(axis=1, initial=0) >= least):
            columns = np.flatnonzero(shared[place] >= least)
            order = np.argsort(-shared[place, columns], kind="stable")
            yield int(rows[place]), columns[order[:_CANDIDATES]]


def _closest(
    part: LabeledImages,
    other: LabeledImages,
    pairs: tuple[int, Int64[np.ndarray, " c"]],
    changes: tuple[Change, Change],
) -> tuple[float, int] | None:
    """The difference to the nearest of the candidates, and its row; None where none is near."""
    row, columns = pairs
    own, theirs = changes
    image = changed(part.images[[row]].numpy(), own)[0].astype(np.float32)
    candidates = changed(other.images[columns].numpy(), theirs).astype(np.float32)
    differences = np.abs(candidates - image).mean(axis=(1, 2, 3))
    best = int(differences.argmin())
    difference = float(differences[best])
    if difference > min(LARGEST_DIFFERENCE, _OF_ITS_CONTRAST * _contrast(image)):
        return None
    return difference, int(columns[best])


def _contrast(image: Float32[np.ndarray, "h w 3"]) -> float:
    return float(np.abs(image - image.mean(axis=(0, 1))).mean())


def _overlap(
    names: tuple[Split, Split],
    parts: dict[Split, LabeledImages],
    found: _NearestCopies,
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
