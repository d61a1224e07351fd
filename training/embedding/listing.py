"""The images below a folder, in one order, without ever holding all of them."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp"})

T = TypeVar("T")


@dataclass(frozen=True)
class File:
    """One image, not read yet."""

    id: str  # its path inside the folder, with /
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class Part:
    """The files whose rows one shard holds."""

    number: int  # counted from 0
    files: tuple[File, ...]

    @property
    def digest(self) -> str:
        """Sha256 over every file's id, size and time of change: another one is another part."""
        facts = hashlib.sha256()
        for file in self.files:
            line = f"{file.size_bytes} {file.modified_ns} {file.id}\0"
            facts.update(line.encode(errors="surrogateescape"))
        return facts.hexdigest()


def list_parts(folder: Path, size: int) -> Iterator[Part]:
    """Every image below the folder, `size` at a time, sorted by id.

    Hidden files and folders are passed over, and links to folders are not followed. Only one
    folder's entries are in memory at a time. Raises OSError where a folder cannot be read.
    """
    for number, files in enumerate(chunked(_files(folder, ""), size)):
        yield Part(number, files)


def count_files(folder: Path) -> int:
    """How many images `list_parts` will list."""
    return sum(1 for _ in _entries(folder, ""))


def chunked(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """The same items, `size` at a time; fewer in the last."""
    rest = iter(items)
    while chunk := tuple(islice(rest, size)):
        yield chunk


def _files(folder: Path, prefix: str) -> Iterator[File]:
    for name, entry in _entries(folder, prefix):
        try:
            facts = entry.stat()
        except OSError:  # gone meanwhile, or a link to nowhere: reading it will say so
            yield File(name, -1, 0)
        else:
            yield File(name, facts.st_size, facts.st_mtime_ns)


def _entries(folder: Path, prefix: str) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    for entry in _sorted(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(folder / entry.name, f"{prefix}{entry.name}/")
        elif not entry.is_dir() and Path(entry.name).suffix.lower() in SUFFIXES:
            yield prefix + entry.name, entry


def _sorted(folder: Path) -> Sequence["os.DirEntry[str]"]:
    """Sorted as the ids are: a folder's name is followed by / in them."""
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(seen, key=lambda entry: entry.name + "/" * entry.is_dir(follow_symlinks=False))
