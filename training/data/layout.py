"""The layout of a data set's folder: classes under train/ and test/, or in the folder itself."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.files import folders
from training.errors import InvalidDataset

EXPECTED = "expected train/<class>/* and test/<class>/*, or <class>/* to be split"
_PARTS = {
    "train": frozenset({"train", "training"}),
    "test": frozenset({"test", "testing"}),
    "val": frozenset({"val", "valid", "validation"}),
}

Classes = Mapping[str, Path]  # by class name, in Unicode's form NFC, sorted


@dataclass(frozen=True)
class FolderLayout:
    """The class folders; `test` is none where the test images are to be drawn from `train`."""

    train: Classes
    test: Classes | None


def find_layout(root: Path) -> FolderLayout:
    """Find the layout of the folder. Train/ and Testing/ are train/ and test/, whatever their case.

    Raises InvalidDataset where it is laid out otherwise than expected.
    """
    if not root.is_dir():
        raise InvalidDataset(f"there is no folder {root}; {EXPECTED}")
    names = _folders(root)
    parts = _parts(root, names)
    if parts is not None and _folders(parts[0]):
        return _both(root, *parts)
    if names and all(any(_is(name, part) for part in _PARTS) for name in names):
        raise InvalidDataset(_half(root, names))
    classes = _classes(root)
    if len(classes) < 2:
        raise InvalidDataset(
            f"{root} has {len(classes)} class folders, at least two make a data set"
        )
    return FolderLayout(classes, None)


def _folders(folder: Path) -> tuple[str, ...]:
    try:
        return folders(folder)
    except OSError as error:
        raise InvalidDataset(f"{folder} cannot be read: {error.strerror}") from error


def _is(name: str, part: str) -> bool:
    return name.casefold() in _PARTS[part]


def _parts(root: Path, names: tuple[str, ...]) -> tuple[Path, Path] | None:
    """The folders of training and of test images, where there is one of each."""
    train, test = ([name for name in names if _is(name, part)] for part in ("train", "test"))
    if not train or not test:
        return None
    for found in (train, test):
        if len(found) > 1:
            listed = " and ".join(f"{name}/" for name in found)
            raise InvalidDataset(f"{root} has {listed}, which mean the same; keep one of them")
    return root / train[0], root / test[0]


def _both(root: Path, train: Path, test: Path) -> FolderLayout:
    layout = FolderLayout(_classes(train), _classes(test))
    there = (train.name, set(layout.train)), (test.name, set(layout.test or ()))
    if len(layout.train) < 2:
        raise InvalidDataset(
            f"{root} has {len(layout.train)} class folders under {train.name}/; {EXPECTED}, with "
            "at least two"
        )
    odd = "; ".join(
        f"only under {part}/: {', '.join(sorted(here - other))}"
        for (part, here), (_, other) in (there, there[::-1])
        if here - other
    )
    if odd:
        raise InvalidDataset(
            f"{train.name}/ and {test.name}/ under {root} differ in classes ({odd}); every class "
            "needs images in both"
        )
    return layout


def _classes(folder: Path) -> Classes:
    """The class folders; two of one name, written in two forms of Unicode, are refused."""
    found: dict[str, Path] = {}
    for name in _folders(folder):
        _check_name(folder, name)
        class_name = unicodedata.normalize("NFC", name)
        if class_name in found:
            raise InvalidDataset(
                f"{folder} has two folders that are called {class_name!r}, in two forms of Unicode "
                f"({found[class_name].name!a} and {name!a}); merge them"
            )
        found[class_name] = folder / name
    return dict(sorted(found.items()))


def _check_name(root: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode(errors="surrogateescape")
        raise InvalidDataset(f"{root} has a folder {shown!r}, no UTF-8; rename it") from error


def _half(root: Path, names: tuple[str, ...]) -> str:
    found = ", ".join(f"{name}/" for name in names)
    return (
        f"{root} has {found}, and {EXPECTED}; rename or add what is missing, or let the classes "
        f"under one of them be split: --data {root / names[0]}"
    )
