"""A folder's images by class, and the choice of those that are for the test."""

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.files import SkippedFiles, images, is_image
from training.data.layout import Classes, find_layout
from training.errors import InvalidDataset

TEST_SHARE = 0.2
SPLIT_SEED = 0  # not the recipe's: runs with several seeds are compared on one test set


@dataclass(frozen=True)
class Files:
    """The image files of one part of a data set, in a fixed order; `ids` are relative paths."""

    paths: tuple[Path, ...]
    ids: tuple[str, ...]
    labels: tuple[int, ...]

    def take(self, rows: tuple[int, ...]) -> "Files":
        """The files at those rows."""
        return Files(
            tuple(self.paths[row] for row in rows),
            tuple(self.ids[row] for row in rows),
            tuple(self.labels[row] for row in rows),
        )


@dataclass(frozen=True)
class Listing:
    """The files of a data set's folder, before any is opened."""

    class_names: tuple[str, ...]
    train: Files
    test: Files
    split: bool
    """Whether the test images were drawn here, rather than found under test/."""
    ignored: Mapping[str, int]
    """How many files are no images by their suffix, or lie outside the class folders."""
    nested: tuple[str, ...]
    """Class folders with images in folders of their own."""


def list_folder(root: Path) -> Listing:
    """The images of `root/train/<class>` and `root/test/<class>`, or of `root/<class>`.

    A class has every image below its folder, however deep, as `models.files` lists them.
    `root/<class>` is split by `draw_test`.
    Raises InvalidDataset where the folders are laid out otherwise.
    """
    passed, layout = SkippedFiles(), find_layout(root)
    names = tuple(layout.train)
    whole = _list_part(root, layout.train, passed)
    if layout.test is not None:
        test = _list_part(root, layout.test, passed)
        nested = _nested(whole, test, depth=3)
        return Listing(names, whole, test, False, passed.suffixes, nested)
    drawn = draw_test(whole, len(names))
    held = set(drawn)
    kept = tuple(row for row in range(len(whole.ids)) if row not in held)
    nested = _nested(whole, depth=2)
    return Listing(names, whole.take(kept), whole.take(drawn), True, passed.suffixes, nested)


def draw_test(files: Files, classes: int) -> tuple[int, ...]:
    """The rows of `TEST_SHARE` of each class, at least one: a function of ids and seed alone.

    A class's images are ranked by the hash of `SPLIT_SEED` and id, and the first are drawn; an
    image that is added later moves few others.
    """
    ranked: list[list[int]] = [[] for _ in range(classes)]
    for row in sorted(range(len(files.ids)), key=lambda row: _rank(files.ids[row])):
        ranked[files.labels[row]].append(row)
    drawn = (rows[: max(1, round(len(rows) * TEST_SHARE))] for rows in ranked)
    return tuple(sorted(row for rows in drawn for row in rows))


def _rank(name: str) -> bytes:
    text = f"{SPLIT_SEED} {unicodedata.normalize('NFC', name)}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).digest()


def _list_part(root: Path, classes: Classes, passed: SkippedFiles) -> Files:
    paths: list[Path] = []
    labels: list[int] = []
    try:
        for label, folder in enumerate(classes.values()):
            found = sorted(image.path for image in images(folder, passed))
            paths.extend(found)
            labels.extend([label] * len(found))
        beside = sum(is_image(path.name) for path in next(iter(classes.values())).parent.iterdir())
    except OSError as error:
        raise InvalidDataset(f"{error.filename} cannot be read: {error.strerror}") from error
    if beside:
        passed.suffixes["images outside the class folders"] += beside
    ids = tuple(path.relative_to(root).as_posix() for path in paths)
    return Files(tuple(paths), ids, tuple(labels))


def _nested(*parts: Files, depth: int) -> tuple[str, ...]:
    """Class folders (of ids) below which images lie deeper than `depth` names."""
    deep = (name for files in parts for name in files.ids if name.count("/") >= depth)
    return tuple(sorted({"/".join(name.split("/")[: depth - 1]) for name in deep}))
