"""The inventory of a folder: counts, skipped and ignored files, and what looks wrong with it."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from models.manifest import Frozen
from training.errors import InvalidDataset

FEWEST_IMAGES = 10
FEWEST_TRAIN = 8
LARGEST_SKIPPED_SHARE = 0.01
_SHOWN = 20
_SHOWN_CLASSES = 12


class ClassCount(Frozen):
    """The number of usable images of a class."""

    name: str
    train: int
    test: int


class Skipped(Frozen):
    """A file that should be an image, and why it is none."""

    id: str
    reason: str


class Inventory(Frozen):
    """The contents of a data set's folder; kept in each run's record."""

    classes: tuple[ClassCount, ...]
    test_share: float | None = Field(description="of each class, drawn here; None: found in test/")
    split_seed: int | None = Field(description="of that draw")
    skipped: tuple[Skipped, ...] = Field(description="image files that could not be used")
    ignored: dict[str, int] = Field(description="files that are no images, by suffix")
    nested: tuple[str, ...] = Field(description="class folders with folders of their own")
    leaks: tuple[tuple[str, str], ...] = Field(
        description="test and training image with the same bytes"
    )
    contradictions: tuple[tuple[str, str], ...] = Field(
        description="images of two classes with the same bytes"
    )

    @property
    def imbalance(self) -> float:
        """Divide the images of the largest class by those of the smallest."""
        counts = [one.train for one in self.classes]
        return max(counts) / min(counts)

    def lines(self) -> list[str]:
        """Describe the folder to a person before training, a line for each fact."""
        train, test = sum(one.train for one in self.classes), sum(one.test for one in self.classes)
        drawn = f", drawn here: {self.test_share or 0:.0%} of each class, seed {self.split_seed}"
        return [
            f"data: {len(self.classes)} classes, {train:,} training and {test:,} test images"
            f"{'' if self.test_share is None else drawn}",
            f"data: training images: {_counted(self.classes)}; the largest class has "
            f"{self.imbalance:.3g} times the smallest's",
            *self._notes(),
        ]

    def _notes(self) -> list[str]:
        notes = [
            f"warning: classes {' and '.join(names)} differ only in case; if they are one class, "
            "merge their folders"
            for names in _alike([one.name for one in self.classes])
        ]
        if self.skipped:
            names = _listed([f"{one.id} ({one.reason})" for one in self.skipped])
            notes.append(f"data: skipped {_files(self.skipped)} that cannot be used: {names}")
        if self.ignored:
            kinds = ", ".join(f"{kind} ({count:,})" for kind, count in sorted(self.ignored.items()))
            notes.append(
                "data: ignored, as no JPEG, PNG, WebP, GIF, BMP, AVIF or HEIC of a class: " + kinds
            )
        if self.nested:
            notes.append(
                f"data: images in folders below {_listed(self.nested)} count as that class's"
            )
        if self.leaks:
            notes.append(
                f"warning: {_files(self.leaks)} of the test set also in the training set, "
                f"so the test is easier than it looks; remove one of each, or train with "
                f"--drop-leaks: {_paired(self.leaks)}"
            )
        if self.contradictions:
            notes.append(
                f"warning: {_files(self.contradictions)} in two classes at once; remove "
                f"the wrong one: {_paired(self.contradictions)}"
            )
        return notes


def _alike(names: Sequence[str]) -> list[list[str]]:
    """The names that are the same where case does not count, as on some file systems."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def check_counts(classes: Sequence[ClassCount]) -> None:
    """Refuse classes too small to be split. Raises InvalidDataset with names and counts."""
    few = [
        f"{one.name} {one.train + one.test} ({one.train} to train, {one.test} to test)"
        for one in classes
        if one.train + one.test < FEWEST_IMAGES or one.train < FEWEST_TRAIN or not one.test
    ]
    if few:
        raise InvalidDataset(
            f"too few images in {_listed(few)}: a class needs {FEWEST_IMAGES}, of which at least "
            f"{FEWEST_TRAIN} to train and 1 to test, so that the tuning and the calibration split "
            "have one each; add images, merge the class with another, or move its folder away"
        )


def check_skipped(skipped: Sequence[Skipped], files: int, written_to: Path) -> None:
    """Refuse a folder with more than 1 % unusable files. Raises InvalidDataset with the list."""
    if len(skipped) > LARGEST_SKIPPED_SHARE * files:
        names = "".join(f"\n  {one.id}: {one.reason}" for one in skipped[:_SHOWN])
        more = f"\n  and {len(skipped) - _SHOWN:,} more" if len(skipped) > _SHOWN else ""
        raise InvalidDataset(
            f"{len(skipped):,} of {files:,} image files ({len(skipped) / files:.1%}) cannot be "
            f"used, and up to {LARGEST_SKIPPED_SHARE:.0%} are skipped; repair or remove them (the "
            f"whole list is in {written_to}):{names}{more}"
        )


def _counted(classes: Sequence[ClassCount]) -> str:
    by_size = sorted(classes, key=lambda one: -one.train)
    named = [f"{one.name} {one.train:,}" for one in by_size]
    if len(named) <= _SHOWN_CLASSES:
        return ", ".join(named)
    half = _SHOWN_CLASSES // 2
    return f"{', '.join(named[:half])} ... {', '.join(named[-half:])}"


def _files(found: Sequence[object]) -> str:
    return f"{len(found):,} image{'s' if len(found) > 1 else ''}"


def _paired(pairs: Sequence[tuple[str, str]]) -> str:
    return _listed([f"{one} = {other}" for one, other in pairs])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
