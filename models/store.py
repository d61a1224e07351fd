"""The registry of published models on disk: publish atomically, list, resolve, verify."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from models.errors import BundleDamaged, BundleNotFound
from models.manifest import FileRecord, Manifest
from models.report import Report

MANIFEST = "manifest.json"
MODEL = "model.onnx"
REPORT = "report.json"
GOLDEN = "golden.npz"
GALLERY = "gallery.npz"
_THUMBNAILS = "thumbnails"


@dataclass(frozen=True)
class Golden:
    """What the model answered when it was exported; replayed when it is loaded."""

    images: NDArray[np.uint8]  # [n, h, w, 3]
    embedding: NDArray[np.float32]  # [n, d]
    probabilities: NDArray[np.float32]  # [n, c]


@dataclass(frozen=True)
class Gallery:
    """The training images that ship with a model, embedded by it."""

    embeddings: NDArray[np.float32]  # [n, d]
    labels: NDArray[np.int64]  # [n], index into Manifest.labels
    ids: tuple[str, ...]  # the file's path inside the data set


@dataclass(frozen=True)
class Thumbnails:
    """Small JPEG files, one for each gallery item, in the gallery's order."""

    data: NDArray[np.uint8]  # all files end to end
    offsets: NDArray[np.int64]  # [n + 1]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def jpeg(self, index: int) -> bytes:
        """The JPEG file of gallery item `index`, 0 <= index < len(self)."""
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()


@dataclass(frozen=True)
class Bundle:
    """One version of one model, its files verified against the manifest's sha256."""

    path: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.path / MODEL

    @cached_property
    def report(self) -> Report:
        """The evaluation that was published with the model."""
        return Report.model_validate_json((self.path / REPORT).read_bytes())

    def golden(self) -> Golden:
        """The golden batch."""
        with np.load(self.path / GOLDEN) as arrays:
            return Golden(**{key: arrays[key] for key in arrays.files})

    def gallery(self) -> Gallery:
        """The gallery's embeddings, labels and ids."""
        with np.load(self.path / GALLERY) as arrays:
            return Gallery(arrays["embeddings"], arrays["labels"], tuple(arrays["ids"].tolist()))

    def thumbnails(self) -> Thumbnails | None:
        """The gallery's thumbnails; None where the model was published without."""
        digest = self.manifest.thumbnails
        if digest is None:
            return None
        path = self.path.parent.parent / _THUMBNAILS / f"{digest}.npz"
        if not path.is_file() or sha256_of(path) != digest:
            reason = f"{path.name} is missing or altered"
            raise BundleDamaged(self.manifest.name, self.manifest.version, reason)
        with np.load(path) as arrays:
            return Thumbnails(arrays["data"], arrays["offsets"])

    def figure_path(self, name: str) -> Path | None:
        """The SVG of that name; None where the report lists no such figure."""
        known = {figure.name for figure in self.report.figures}
        return self.path / "figures" / f"{name}.svg" if name in known else None


class Store:
    """Published models under one root: `<name>/<version>/`, as Triton lays them out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> tuple[str, ...]:
        """Every model that has at least one published version, sorted."""
        if not self.root.is_dir():
            return ()
        folders = sorted(path.name for path in self.root.iterdir() if path.is_dir())
        return tuple(name for name in folders if name != _THUMBNAILS and self.versions(name))

    def versions(self, name: str) -> tuple[int, ...]:
        """Published versions of one model, oldest first; empty where there is none."""
        folder = self.root / name
        if not folder.is_dir():
            return ()
        return tuple(sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal()))

    def load(self, name: str, version: int | None = None) -> Bundle:
        """Open a version (the newest by default) and verify every file's sha256.

        Raises BundleNotFound, or BundleDamaged with the first thing that is wrong.
        """
        versions = self.versions(name)
        if not versions or (version is not None and version not in versions):
            raise BundleNotFound(name, version, self.names())
        number = versions[-1] if version is None else version
        path = self.root / name / str(number)
        manifest = _read_manifest(path, name, number)
        for relative, record in manifest.files.items():
            if (fault := _fault(path / relative, record)) is not None:
                raise BundleDamaged(name, number, f"{relative} {fault}")
        return Bundle(path, manifest)

    def publish(self, name: str, fill: Callable[[Path, int], Manifest]) -> Bundle:
        """Publish the next version: all of it or nothing.

        `fill(folder, version)` writes every file except the manifest into an empty folder and
        returns the manifest with `files` empty; it is completed here, everything is fsynced, and
        one rename makes it visible.
        """
        home = self.root / name
        home.mkdir(parents=True, exist_ok=True)
        version = max(self.versions(name), default=0) + 1
        staging = Path(tempfile.mkdtemp(prefix=".publishing-", dir=home))
        try:
            manifest = fill(staging, version)
            manifest = manifest.model_copy(update={"files": _records(staging)})
            (staging / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
            _fsync_tree(staging)
            staging.chmod(0o755)
            staging.rename(home / str(version))  # fails if somebody else published it meanwhile
            _fsync(home)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        return self.load(name, version)

    def put_thumbnails(self, jpegs: list[bytes]) -> str:
        """Store thumbnails under their content's sha256, once; returns it."""
        folder = self.root / _THUMBNAILS
        folder.mkdir(parents=True, exist_ok=True)
        offsets = np.cumsum([0, *map(len, jpegs)], dtype=np.int64)
        data = np.frombuffer(b"".join(jpegs), dtype=np.uint8)
        descriptor, name = tempfile.mkstemp(prefix=".publishing-", dir=folder)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                np.savez(file, data=data, offsets=offsets)
            temporary.chmod(0o644)
            _fsync(temporary)
            digest = sha256_of(temporary)
            temporary.replace(folder / f"{digest}.npz")
            _fsync(folder)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return digest


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(path: Path, name: str, version: int) -> Manifest:
    try:
        manifest = Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise BundleDamaged(name, version, f"{MANIFEST}: {error}") from error
    if (manifest.name, manifest.version) != (name, version):
        reason = f"its manifest says {manifest.name}/{manifest.version}"
        raise BundleDamaged(name, version, reason)
    return manifest


def _fault(path: Path, record: FileRecord) -> str | None:
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != record.size_bytes or sha256_of(path) != record.sha256:
        return "is not what the manifest's sha256 says"
    return None


def _records(folder: Path) -> dict[str, FileRecord]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): FileRecord(
            sha256=sha256_of(path), size_bytes=path.stat().st_size
        )
        for path in files
    }


def _fsync_tree(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        _fsync(path)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
