"""Which files of a folder are images of which class, and which of them are for the test."""

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.errors import InvalidDataset

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp"})
TEST_SHARE = 0.2
SPLIT_SEED = 0  # not the recipe's: runs with several seeds are compared on one test set
_PARTS = frozenset({"train", "test", "val", "valid", "validation"})
_CLUTTER = frozenset({"__MACOSX", "@eaDir"})
EXPECTED = "expected train/<class>/* and test/<class>/*, or <class>/* to be split"


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
    """What lies in a data set's folder, before any file is opened."""

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

    A class has every image below its folder, however deep; linked folders are followed. Hidden
    files and folders are passed over. `root/<class>` is split by `draw_test`.
    Raises InvalidDataset where the folders are laid out otherwise.
    """
    ignored: Counter[str] = Counter()
    if not root.is_dir():
        raise InvalidDataset(f"there is no folder {root}; {EXPECTED}")
    names = _folders(root)
    if {"train", "test"} <= set(names) and _folders(root / "train"):
        classes = _same_classes(root)
        train, test = (_list_part(root, part, classes, ignored) for part in ("train", "test"))
        return Listing(classes, train, test, False, ignored, _nested(train, test, depth=3))
    if names and set(names) <= _PARTS:
        raise InvalidDataset(_half(root, names))
    if len(names) < 2:
        raise InvalidDataset(f"{root} has {len(names)} class folders, at least two make a data set")
    whole = _list_part(root, "", names, ignored)
    drawn = draw_test(whole, len(names))
    held = set(drawn)
    kept = tuple(row for row in range(len(whole.ids)) if row not in held)
    nested = _nested(whole, depth=2)
    return Listing(names, whole.take(kept), whole.take(drawn), True, ignored, nested)


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


def _folders(folder: Path) -> tuple[str, ...]:
    names = (path.name for path in folder.iterdir() if path.is_dir())
    return tuple(sorted(name for name in names if _visible(name)))


def _visible(name: str) -> bool:
    return not name.startswith(".") and name not in _CLUTTER


def _same_classes(root: Path) -> tuple[str, ...]:
    train, test = (_folders(root / part) for part in ("train", "test"))
    if len(train) < 2:
        raise InvalidDataset(
            f"{root} has {len(train)} class folders under train/; {EXPECTED}, with at least two"
        )
    if train != test:
        odd = "; ".join(
            f"only under {part}/: {', '.join(sorted(set(here) - set(there)))}"
            for part, here, there in (("train", train, test), ("test", test, train))
            if set(here) - set(there)
        )
        raise InvalidDataset(
            f"train/ and test/ under {root} differ in classes ({odd}); every class needs images "
            "in both"
        )
    return train


def _half(root: Path, names: tuple[str, ...]) -> str:
    found = ", ".join(f"{name}/" for name in names)
    return (
        f"{root} has {found}, and {EXPECTED}; rename or add what is missing, or let the classes "
        f"under one of them be split: --data {root / names[0]}"
    )


def _list_part(root: Path, part: str, classes: tuple[str, ...], ignored: Counter[str]) -> Files:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        _check_name(root, name)
        found = []
        for path in _walk(root / part / name):
            if path.suffix.lower() in SUFFIXES:
                found.append(path)
            else:
                ignored[path.suffix.lower() or "no suffix"] += 1
        paths.extend(sorted(found))
        labels.extend([label] * len(found))
    beside = [path for path in (root / part).iterdir() if path.suffix.lower() in SUFFIXES]
    if beside:
        ignored["images outside the class folders"] += len(beside)
    ids = tuple(path.relative_to(root).as_posix() for path in paths)
    return Files(tuple(paths), ids, tuple(labels))


def _walk(folder: Path) -> Iterator[Path]:
    """Every visible file below, each real folder once however it is linked."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(filter(_visible, folders))
        yield from (Path(place, name) for name in files if _visible(name))


def _check_name(root: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode(errors="surrogateescape")
        raise InvalidDataset(f"{root} has a folder {shown!r}, no UTF-8; rename it") from error


def _nested(*parts: Files, depth: int) -> tuple[str, ...]:
    """Class folders (of ids) below which images lie deeper than `depth` names."""
    deep = (name for files in parts for name in files.ids if name.count("/") >= depth)
    return tuple(sorted({"/".join(name.split("/")[: depth - 1]) for name in deep}))
