"""A data set from a folder of images: listed, decoded once, and looked at for what is odd."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from models.atomic import replacing
from models.manifest import Preprocess
from training.data.dataset import Dataset, LabeledImages
from training.data.inventory import ClassCount, Inventory, Skipped, check_counts, check_skipped
from training.data.listing import SPLIT_SEED, TEST_SHARE, Files, Listing, list_folder
from training.data.pixels import DecodedFiles, cache_key, decode_files

_UNREADABLE = ""
_SKIPPED_LIST = "skipped.txt"


@dataclass(frozen=True)
class _Part:
    """The usable images of train or test, and the hash of each one's bytes."""

    files: Files
    contents: tuple[str, ...]
    pixels: UInt8[np.ndarray, "n h w 3"]
    skipped: tuple[Skipped, ...]

    @classmethod
    def of(cls, files: Files, contents: tuple[str, ...], decoded: DecodedFiles) -> "_Part":
        """`files` without those that failed."""
        rows = tuple(row for row in range(len(files.ids)) if row not in decoded.failed)
        skipped = tuple(
            Skipped(id=_printable(files.ids[row]), reason=reason)
            for row, reason in decoded.failed.items()
        )
        return cls(files.take(rows), tuple(contents[row] for row in rows), decoded.images, skipped)

    def labeled(self) -> LabeledImages:
        """The images as the data set has them."""
        labels = torch.tensor(self.files.labels)
        return LabeledImages(torch.from_numpy(self.pixels), labels, self.files.ids)


def load_folder(root: Path, spec: Preprocess, cache: Path) -> Dataset:
    """Load `root/train/<class>` and `root/test/<class>`, or `root/<class>` split here.

    Class folders sort into label order. Files that are no complete image are skipped and listed in
    the inventory. Decoded pixels are kept in `cache`, under a hash of every path and content, of
    `spec` and of the decoder's version, so that a changed file is never served from the cache.
    Raises InvalidDataset, with what to do about it: above 1 % of such files, or where a class has
    fewer than 10 images.
    """
    listing = list_folder(root)
    check_counts(_count(listing.class_names, listing.train, listing.test))
    contents = [contents_of(files.paths) for files in (listing.train, listing.test)]
    digest = digest_of(listing, contents)
    stem = cache / cache_key(digest, spec)
    train, test = (
        _Part.of(files, found, decode_files(Path(f"{stem}-{name}"), files.paths, spec, name))
        for name, files, found in zip(
            ("train", "test"), (listing.train, listing.test), contents, strict=True
        )
    )
    inventory = _inventory(listing, train, test)
    _check(inventory, len(listing.train.ids) + len(listing.test.ids), cache)
    edition = ", ".join(sorted({path.suffix.lower().lstrip(".") for path in train.files.paths}))
    return Dataset(
        root.resolve().name,
        edition,
        digest,
        listing.class_names,
        train.labeled(),
        test.labeled(),
        inventory,
    )


def _inventory(listing: Listing, train: _Part, test: _Part) -> Inventory:
    return Inventory(
        classes=_count(listing.class_names, train.files, test.files),
        test_share=TEST_SHARE if listing.split else None,
        split_seed=SPLIT_SEED if listing.split else None,
        skipped=train.skipped + test.skipped,
        ignored=dict(listing.ignored),
        nested=listing.nested,
        leaks=_leaks(train, test),
        contradictions=_contradictions(train, test),
    )


def _check(inventory: Inventory, files: int, cache: Path) -> None:
    names = "".join(f"{one.id}\t{one.reason}\n" for one in inventory.skipped)
    if names:
        with replacing(cache / _SKIPPED_LIST) as temporary:
            temporary.write_text(names)
    check_skipped(inventory.skipped, files, cache / _SKIPPED_LIST)
    check_counts(inventory.classes)


def _count(class_names: tuple[str, ...], train: Files, test: Files) -> tuple[ClassCount, ...]:
    counts = [np.bincount(part.labels, minlength=len(class_names)) for part in (train, test)]
    return tuple(
        ClassCount(name=name, train=int(counts[0][label]), test=int(counts[1][label]))
        for label, name in enumerate(class_names)
    )


def _leaks(train: _Part, test: _Part) -> tuple[tuple[str, str], ...]:
    trained = dict(zip(train.contents, train.files.ids, strict=True))
    both = zip(test.contents, test.files.ids, strict=True)
    return tuple((name, trained[content]) for content, name in both if content in trained)


def _contradictions(*parts: _Part) -> tuple[tuple[str, str], ...]:
    first: dict[str, tuple[str, int]] = {}
    found = []
    for part in parts:
        for content, name, label in zip(
            part.contents, part.files.ids, part.files.labels, strict=True
        ):
            other, its_label = first.setdefault(content, (name, label))
            if its_label != label:
                found.append((other, name))
    return tuple(found)


def digest_of(listing: Listing, contents: list[tuple[str, ...]]) -> str:
    """Return the sha256 of every file's path and content, in order."""
    digest = hashlib.sha256()
    for files, found in zip((listing.train, listing.test), contents, strict=True):
        for name, content in zip(files.ids, found, strict=True):
            digest.update(f"{content} {name}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def contents_of(paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the sha256 of each file's bytes; empty where it cannot be read."""
    with ThreadPoolExecutor() as pool:
        return tuple(pool.map(_content, paths))


def _content(path: Path) -> str:
    try:
        found = path.stat()
        return _hashed(path, found.st_size, found.st_mtime_ns)
    except OSError:
        return _UNREADABLE  # decoding says why


@lru_cache(maxsize=2_000_000)
def _hashed(path: Path, _size: int, _changed_ns: int) -> str:
    """Once for the many steps of one command, unless the file changes between them."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _printable(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()
