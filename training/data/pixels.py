"""Decode many image files once, into a file that is mapped rather than read."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from filelock import FileLock
from jaxtyping import UInt8
from pydantic import Field
from rich.progress import track

from models.atomic import replacing
from models.errors import ModelsError
from models.manifest import Frozen, Preprocess
from models.preprocess import VERSION, preprocess
from training.errors import InvalidDataset

CHUNK = 512
"""Images between two notes of how far decoding is: so much is lost by a stop."""


class _Notes(Frozen):
    """The progress of decoding: `done` files; `failed` (file number, reason) have no pixels."""

    done: int = 0
    failed: tuple[tuple[int, str], ...] = Field(default=())

    @property
    def rows(self) -> int:
        return self.done - len(self.failed)


@dataclass(frozen=True)
class DecodedFiles:
    """Pixels of the files that could be decoded, and the numbers and reasons of the others."""

    images: UInt8[np.ndarray, "n h w 3"]
    failed: dict[int, str]


def cache_key(digest: str, spec: Preprocess) -> str:
    """Return the cache's name for decoded pixels: the files' digest, the size and the decoder."""
    facts = f"{digest} {VERSION} {spec.model_dump_json()}"
    return hashlib.sha256(facts.encode()).hexdigest()[:32]


def decode_files(stem: Path, paths: tuple[Path, ...], spec: Preprocess, title: str) -> DecodedFiles:
    """The pixels of `paths`, from `<stem>.npy` if that exists, else decoded into it.

    The array is mapped copy-on-write: its pages are the file's, and are dropped under pressure.
    A stop loses at most `CHUNK` images; another process of the same files waits for the first.
    Raises InvalidDataset where the cache cannot be written.
    """
    final, notes = stem.with_suffix(".npy"), stem.with_suffix(".json")
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(stem.with_suffix(".lock")):
            if not final.is_file():
                _write(stem, paths, spec, title)
        known = notes.is_file()  # caches from before files were skipped have none
        failed = dict(_Notes.model_validate_json(notes.read_bytes()).failed) if known else {}
        if len(failed) == len(paths):
            return DecodedFiles(np.empty((0, spec.size_px, spec.size_px, 3), np.uint8), failed)
        return DecodedFiles(np.load(final, mmap_mode="c"), failed)
    except OSError as error:
        raise InvalidDataset(
            f"decoded images cannot be kept in {stem.parent} ({error.strerror}); free some space, "
            "or name another folder: --cache DIR"
        ) from error


def _write(stem: Path, paths: tuple[Path, ...], spec: Preprocess, title: str) -> None:
    part, notes_path = stem.with_suffix(".part"), stem.with_suffix(".json")
    side = spec.size_px
    start, row_bytes = len(_header(len(paths), side)), side * side * 3
    notes = _resumable(part, notes_path, start, row_bytes)
    with part.open("r+b" if notes.done else "w+b") as file:
        file.write(_header(len(paths), side))
        file.seek(start + notes.rows * row_bytes)
        file.truncate()
        for chunk in _chunks(paths[notes.done :], spec, title):
            failed = list(notes.failed)
            for number, found in enumerate(chunk, start=notes.done):
                if isinstance(found, str):
                    failed.append((number, found))
                else:
                    file.write(np.ascontiguousarray(found).data)
            notes = _Notes(done=notes.done + len(chunk), failed=tuple(failed))
            file.flush()
            os.fsync(file.fileno())
            with replacing(notes_path) as temporary:
                temporary.write_text(notes.model_dump_json())
        file.seek(0)
        file.write(_header(notes.rows, side))
        file.flush()
        os.fsync(file.fileno())
    part.replace(stem.with_suffix(".npy"))


def _resumable(part: Path, notes_path: Path, start: int, row_bytes: int) -> _Notes:
    """Return the position of an earlier process; 0 where its pixels are not all there."""
    if not part.is_file() or not notes_path.is_file():
        return _Notes()
    notes = _Notes.model_validate_json(notes_path.read_bytes())
    return notes if part.stat().st_size >= start + notes.rows * row_bytes else _Notes()


def _header(rows: int, side: int) -> bytes:
    """The start of an .npy file; as long for fewer rows, since NumPy leaves room for growth."""
    buffer = BytesIO()
    about = {"descr": "|u1", "fortran_order": False, "shape": (rows, side, side, 3)}
    np.lib.format.write_array_header_1_0(buffer, about)
    return buffer.getvalue()


def _chunks(
    paths: tuple[Path, ...], spec: Preprocess, title: str
) -> Iterator[list[UInt8[np.ndarray, "h w 3"] | str]]:
    """Pixels, or why there are none; never more than a chunk of them at a time."""
    chunks = [paths[at : at + CHUNK] for at in range(0, len(paths), CHUNK)]
    with ThreadPoolExecutor() as pool:
        for chunk in track(chunks, description=f"decoding {title}"):
            yield list(pool.map(lambda path: _decode(path, spec), chunk))


def _decode(path: Path, spec: Preprocess) -> UInt8[np.ndarray, "h w 3"] | str:
    try:
        path.name.encode()
        data = path.read_bytes()
        return preprocess(data, spec) if data else "the file is empty"
    except UnicodeEncodeError:
        return "its name is no UTF-8"
    except OSError as error:
        return error.strerror or str(error)
    except ModelsError as error:
        return str(error)
