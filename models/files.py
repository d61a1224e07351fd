"""Files: the images below a folder, in one listing for all commands, and a file's sha256."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NamedTuple

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp"}
    | {".avif", ".heic", ".heif", ".hif"}
)
# What archives, network storage and Windows leave beside people's images, in lower case.
_CLUTTER = frozenset(
    {
        "__macosx",
        "@eadir",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "lost+found",
    }
)


class ImagePath(NamedTuple):
    """One image file, not opened yet."""

    id: str  # its path inside the folder, with /
    path: Path


@dataclass
class SkippedFiles:
    """The files that a listing passed over, hidden files and folders aside."""

    suffixes: Counter[str] = field(default_factory=Counter)  # of files that are not images
    clutter: list[str] = field(default_factory=list)  # folders that programs leave behind
    links: list[str] = field(default_factory=list)  # to folders that are listed already

    @property
    def files(self) -> int:
        """Count the files that are not images, by their names."""
        return self.suffixes.total()


class _Entry(NamedTuple):
    id: str
    path: str
    real: str | None  # of a folder that a link leads to, or that lies below such a one
    is_folder: bool
    is_link: bool


def images(root: Path, passed: SkippedFiles | None = None) -> Iterator[ImagePath]:
    """Every image below the folder, sorted by id; only one folder's entries at a time are held.

    An image is a file by its suffix. Hidden files and folders (`.git`, `._cat.jpg`) and clutter
    (`@eaDir`, `__MACOSX`) are passed over. Links to files are files. Links to folders are followed:
    each folder is listed once, and not again where a link leads back into what is being listed.
    A link to nowhere is listed where its name is that of an image, so that reading it says so;
    what is neither file nor folder, such as a pipe, is not. Raises OSError where a folder cannot be
    read.
    """
    passed = SkippedFiles() if passed is None else passed
    inside, linked = os.path.realpath(root), set[str]()
    levels = [iter(_entries(str(root), "", None, passed))]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
        elif not entry.is_folder:
            yield ImagePath(entry.id, Path(entry.path))
        elif _is_listed(entry, inside, linked):
            passed.links.append(entry.id)
        else:
            levels.append(iter(_entries(entry.path, f"{entry.id}/", entry.real, passed)))


def folders(root: Path) -> tuple[str, ...]:
    """The names of the visible folders in this one, sorted. Raises OSError."""
    return tuple(sorted(path.name for path in root.iterdir() if path.is_dir() and _shown(path)))


def is_image(name: str) -> bool:
    """Return whether a file of that name is listed as an image."""
    return PurePath(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def sha256_of(path: Path) -> str:
    """Return the file's sha256 in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shown(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower() not in _CLUTTER


def _is_listed(entry: _Entry, inside: str, linked: set[str]) -> bool:
    """Return whether a linked folder is listed elsewhere, or contains what is listed."""
    if entry.real is None:
        return False
    if entry.real in linked or _within(entry.real, inside) or _within(inside, entry.real):
        return True
    linked.add(entry.real)
    return False


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _entries(folder: str, prefix: str, real: str | None, passed: SkippedFiles) -> list[_Entry]:
    """The images and folders in one folder, in the order of the ids: a folder's goes on with /."""
    found = []
    with os.scandir(folder) as there:
        for one in there:
            if one.name.startswith("."):
                continue
            if _is_folder(one):
                if one.name.lower() in _CLUTTER:
                    passed.clutter.append(prefix + one.name)
                    continue
                found.append(_folder(one, prefix, real))
            elif is_image(one.name) and _is_file(one):
                found.append(_Entry(prefix + one.name, one.path, None, False, one.is_symlink()))
            else:
                passed.suffixes[PurePath(one.name).suffix.lower() or "no suffix"] += 1
    return sorted(found, key=lambda entry: entry.id + "/" * entry.is_folder)


def _folder(one: "os.DirEntry[str]", prefix: str, real: str | None) -> _Entry:
    if one.is_symlink():
        real = os.path.realpath(one.path)
    elif real is not None:
        real = f"{real}{os.sep}{one.name}"
    return _Entry(prefix + one.name, one.path, real, True, one.is_symlink())


def _is_folder(one: "os.DirEntry[str]") -> bool:
    try:
        return one.is_dir()
    except OSError:  # a link that leads to itself, or where nobody may look
        return False


def _is_file(one: "os.DirEntry[str]") -> bool:
    try:
        return one.is_file() or (one.is_symlink() and not Path(one.path).exists())
    except OSError:
        return True
