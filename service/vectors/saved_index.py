"""An index on disk: derived from the truth, so it is checked whole, and left where in doubt."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

import faiss
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from models.atomic import fsync, replacing
from models.files import sha256_of
from models.manifest import Metric
from service.vectors.buffer import Buffer
from service.vectors.built import Built
from service.vectors.hnsw import Hnsw
from service.vectors.ivfpq import Fetch, IvfPq
from service.vectors.kinds import BuiltKind, IndexSpec, Kind
from service.vectors.mask import Mask
from service.vectors.protocol import Rows
from service.vectors.view import IndexView

_NOTE = "index.json"  # written last: what it names is there whole
_ABANDONED_S = 3600  # a file that no note names is by then of a process that was killed
_ATTEMPTS = 3


class UnusableIndex(Exception):
    """The saved index is missing, incomplete, or of another collection."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NothingSaved(UnusableIndex):
    """Nothing has been saved yet."""

    def __init__(self) -> None:
        super().__init__("nothing is saved")


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    size: int
    sha256: str


class _Note(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal[1] = 1
    sequence: int
    model_sha256: str
    dimension: int
    metric: Metric
    kind: Kind
    built_kind: BuiltKind | None
    built: _File | None
    arrays: _File


@dataclass(frozen=True)
class SavedState:
    """The state that a saved index reflects."""

    sequence: int
    model_sha256: str


@dataclass(frozen=True)
class Saved:
    """The facts of an index when it was saved."""

    sequence: int
    built: Built | None
    alive: Mask
    buffer: Buffer
    last: int


def write(folder: Path, view: IndexView, spec: IndexSpec, mark: SavedState) -> None:
    """Save the view, then remove what was saved before. Raises OSError; the old one stays then."""
    folder.mkdir(parents=True, exist_ok=True)
    before = _named(folder)
    token = uuid4().hex  # another process may be saving as well
    try:
        note = _note(folder, token, view, spec, mark)
        fsync(folder)
        with replacing(folder / _NOTE) as temporary:
            temporary.write_text(note.model_dump_json(indent=1) + "\n")
    except BaseException:
        for path in folder.glob(f"*{token}*"):
            path.unlink(missing_ok=True)
        raise
    fsync(folder)
    _sweep(folder, before)


def read(folder: Path, spec: IndexSpec, model_sha256: str, fetch: Fetch) -> Saved:
    """Read the index that was saved last. Raises UnusableIndex."""
    for _ in range(_ATTEMPTS):
        note = _checked(folder, spec, model_sha256)
        try:
            return _opened(folder, note, spec, fetch)
        except FileNotFoundError as error:  # replaced by another process meanwhile, or lost
            missing = error.filename
    raise UnusableIndex(f"{missing} is not there")


def _note(folder: Path, token: str, view: IndexView, spec: IndexSpec, mark: SavedState) -> _Note:
    built = view.built
    return _Note(
        sequence=mark.sequence,
        model_sha256=mark.model_sha256,
        dimension=spec.dimension,
        metric=spec.metric,
        kind=spec.kind,
        built_kind=None if built is None else built.kind,
        built=None
        if built is None
        else _file(folder / f"{token}.faiss", lambda path: _write_index(built, path)),
        arrays=_file(folder / f"{token}.npz", lambda path: _write_arrays(view, path)),
    )


def _file(path: Path, fill: Callable[[Path], None]) -> _File:
    with replacing(path) as temporary:
        fill(temporary)
        return _File(name=path.name, size=temporary.stat().st_size, sha256=sha256_of(temporary))


def _write_index(built: Built, path: Path) -> None:
    try:
        faiss.write_index(built.index, str(path))
    except RuntimeError as error:
        raise OSError(f"FAISS could not write {path}: {error}") from error


def _write_arrays(view: IndexView, path: Path) -> None:
    waiting = view.buffer.alive.positions()
    arrays = {
        "rows": _no_rows() if view.built is None else view.built.rows,
        "alive": view.alive.positions(),
        "buffer_rows": view.buffer.segment.rows[waiting],
        "buffer_vectors": view.buffer.segment.vectors(waiting),
    }
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _no_rows() -> Rows:
    return np.empty(0, np.int64)


def _sweep(folder: Path, before: set[str]) -> None:
    named = _named(folder)
    for path in folder.iterdir():
        ours = path.suffix in {".faiss", ".npz"} or path.name.startswith(".")
        if path.name in named or not (ours and path.is_file()):
            continue
        if path.name in before or _age_s(path) > _ABANDONED_S:
            path.unlink(missing_ok=True)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0


def _named(folder: Path) -> set[str]:
    try:
        note = _Note.model_validate_json((folder / _NOTE).read_bytes())
    except (OSError, ValidationError):
        return set()
    return {file.name for file in (note.built, note.arrays) if file is not None}


def _checked(folder: Path, spec: IndexSpec, model_sha256: str) -> _Note:
    try:
        note = _Note.model_validate_json((folder / _NOTE).read_bytes())
    except FileNotFoundError:
        raise NothingSaved from None
    except (OSError, ValidationError) as error:
        raise UnusableIndex(f"{_NOTE}: {error}") from error
    if note.model_sha256 != model_sha256:
        raise UnusableIndex(f"it is of model {note.model_sha256}, not of {model_sha256}")
    if (note.dimension, note.metric, note.kind) != (spec.dimension, spec.metric, spec.kind):
        raise UnusableIndex("it is of another dimension, metric or kind")
    return note


def _opened(folder: Path, note: _Note, spec: IndexSpec, fetch: Fetch) -> Saved:
    _verify(folder, note.arrays)
    with np.load(folder / note.arrays.name) as arrays:
        rows, alive = arrays["rows"], arrays["alive"]
        buffer = Buffer(spec.dimension, spec.metric)
        buffer.append(arrays["buffer_rows"], arrays["buffer_vectors"])
    built = None
    if note.built is not None and note.built_kind is not None:
        _verify(folder, note.built)
        built = _read_built(folder / note.built.name, note.built_kind, rows, spec, fetch)
    mask = Mask.of(len(rows), alive)
    return Saved(note.sequence, built, mask, buffer, IndexView(built, mask, buffer.part).last)


def _read_built(path: Path, kind: BuiltKind, rows: Rows, spec: IndexSpec, fetch: Fetch) -> Built:
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE)
    except RuntimeError as error:
        raise UnusableIndex(f"{path.name}: {error}") from error
    if index.ntotal != len(rows) or index.d != spec.dimension:
        raise UnusableIndex(f"{path.name}: {index.ntotal} x {index.d}, where {len(rows)} are named")
    if kind == "hnsw" and isinstance(index, faiss.IndexHNSWFlat):
        return Hnsw.over(index, rows, spec.metric)
    if kind == "compact" and isinstance(index, faiss.IndexIVFPQ):
        return IvfPq.over(index, rows, spec.metric, fetch)
    raise UnusableIndex(f"{path.name}: it is not {kind}, which it is named")


def _verify(folder: Path, file: _File) -> None:
    path = folder / file.name
    if path.stat().st_size != file.size or sha256_of(path) != file.sha256:
        raise UnusableIndex(f"{file.name} is not whole")
