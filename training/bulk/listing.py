"""The images below a folder, in one order, without ever holding all of them."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from models.files import images

T = TypeVar("T")


@dataclass(frozen=True)
class File:
    """One image, not read yet."""

    id: str  # its path inside the folder, with /
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class ShardFiles:
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


def list_parts(folder: Path, size: int) -> Iterator[ShardFiles]:
    """Every image below the folder, `size` at a time, sorted by id.

    As `models.files` lists them; only one folder's entries are in memory at a time. Raises OSError
    where a folder cannot be read.
    """
    for number, files in enumerate(chunked(_files(folder), size)):
        yield ShardFiles(number, files)


def count_files(folder: Path) -> int:
    """Count the images that `list_parts` will list."""
    return sum(1 for _ in images(folder))


def chunked(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """The same items, `size` at a time; fewer in the last."""
    rest = iter(items)
    while chunk := tuple(islice(rest, size)):
        yield chunk


def _files(folder: Path) -> Iterator[File]:
    for image in images(folder):
        try:
            facts = image.path.stat()
        except OSError:  # gone meanwhile, or a link to nowhere: reading it will say so
            yield File(image.id, -1, 0)
        else:
            yield File(image.id, facts.st_size, facts.st_mtime_ns)
