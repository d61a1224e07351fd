"""The search for copies of images: equal pixels, and near copies by perceptual hashes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int64

from models.evidence.leaks import Split
from training.data.copy_features import (
    Change,
    Places,
    Signs,
    changed,
    copied_share,
    crowd,
    places,
    signs,
)
from training.data.dataset import LabeledImages

LARGEST_DISTANCE = 10
LARGEST_DIFFERENCE = 24.0
_OF_ITS_CONTRAST = 0.6
SEARCHED = 20_000
_ROWS = 200
_CANDIDATES = 30
Step = Callable[[int], None]  # so many more images are compared
_CHANGES: tuple[tuple[Change, Change], ...] = (
    ("as it is", "as it is"),
    ("mirrored", "as it is"),
    ("zoomed", "as it is"),
    ("as it is", "zoomed"),
)


def silent(_: int) -> None:
    """Take no note of progress."""


@dataclass(frozen=True)
class Pair:
    """An image and its nearest copy, by their rows; `difference` as in `models.evidence.leaks`."""

    row: int
    other: int
    difference: float
    exact: bool


@dataclass
class NearestCopies:
    """The nearest copy of each row that has one, which are exact, and what is alike in a crowd."""

    nearest: dict[int, tuple[float, int]] = field(default_factory=dict)
    exact: frozenset[int] = frozenset()
    crowded: set[int] = field(default_factory=set)

    def add(self, row: int, other: int, difference: float) -> None:
        """Note a copy, unless a nearer one is known."""
        if row not in self.nearest or difference < self.nearest[row][0]:
            self.nearest[row] = (difference, other)

    def pairs(self) -> tuple[Pair, ...]:
        """The copies, those with equal pixels first, then by their difference."""
        found = (
            Pair(row, other, difference, row in self.exact)
            for row, (difference, other) in self.nearest.items()
        )
        return tuple(sorted(found, key=lambda one: (not one.exact, one.difference, one.row)))


@dataclass
class CopySearch:
    """Looks for copies; `crowded` are the places of the training images, among which it judges.

    Within one part, an image is compared with those before it.
    """

    parts: dict[Split, LabeledImages]
    crowded: Places
    limit: int = SEARCHED
    step: Step = silent
    _signs: dict[tuple[Split, Change], Signs] = field(default_factory=dict)
    _share: float = field(init=False)

    def __post_init__(self) -> None:
        self._share = copied_share(self.crowded)

    def found(self, one: Split, other: Split) -> NearestCopies:
        """Search for a copy of each image of `one` in `other`; of one part, among those before."""
        part, against = self.parts[one], self.parts[other]
        within = one == other
        found = _exact(part, against, within=within)
        rows = searched_rows(len(part), self.limit)
        for own, theirs in _CHANGES:
            least: dict[int, tuple[float, int]] = {}
            ours, others = self._of(one, own), self._of(other, theirs)
            for row, columns in _alike(ours, others, rows, within=within, step=self.step):
                pair = _closest(part, against, (row, columns), (own, theirs))
                if pair is not None:
                    least[row] = pair
            self._judge(found, least, (part, against), (own, theirs))
        found.crowded -= found.nearest.keys()
        return found

    def _judge(
        self,
        found: NearestCopies,
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
        near = np.linalg.norm(ours - theirs, axis=1) <= self._share * crowd(ours, self.crowded)
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


def searched_rows(count: int, limit: int = SEARCHED) -> Int64[np.ndarray, " m"]:
    """Choose the rows that are compared for near copies: all, or a seeded part."""
    rows: Int64[np.ndarray, " m"] = np.sort(np.random.default_rng(0).permutation(count)[:limit])
    return rows


def _exact(part: LabeledImages, other: LabeledImages, *, within: bool) -> NearestCopies:
    first: dict[bytes, int] = {}
    for column, image in enumerate(other.images.numpy()):
        first.setdefault(image.tobytes(), column)
    found = NearestCopies()
    for row, image in enumerate(part.images.numpy()):
        same = first.get(image.tobytes())
        if same is not None and not (within and same == row):
            found.add(row, same, 0.0)
    found.exact = frozenset(found.nearest)
    return found


def _alike(
    ours: Signs, theirs: Signs, searched: Int64[np.ndarray, " m"], *, within: bool, step: Step
) -> Iterator[tuple[int, Int64[np.ndarray, " c"]]]:
    """Rows with the columns whose hashes of either kind differ in few bits, the nearest ones.

    Within one part, those are the columns before the row.
    """
    least = 64 - 2 * LARGEST_DISTANCE
    for start in range(0, len(searched), _ROWS):
        rows = searched[start : start + _ROWS]
        shared = np.maximum(*(own[rows] @ other.T for own, other in zip(ours, theirs, strict=True)))
        if within:
            shared[np.arange(shared.shape[1]) >= rows[:, None]] = -np.inf
        for place in np.flatnonzero(shared.max(axis=1, initial=0) >= least):
            columns = np.flatnonzero(shared[place] >= least)
            order = np.argsort(-shared[place, columns], kind="stable")
            yield int(rows[place]), columns[order[:_CANDIDATES]]
        step(len(rows))


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
