"""One version of one model on disk: what its files are called and how they read."""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from models.errors import BundleDamaged
from models.files import sha256_of
from models.image_map import ImageMap, InvalidMap, read_map
from models.manifest import Manifest, Precision, Variant
from models.report import Report
from models.test_images import InvalidTestImages, TestImages, read_test_images

MANIFEST = "manifest.json"
MODEL = "model.onnx"
REPORT = "report.json"
GOLDEN = "golden.npz"
GALLERY = "gallery.npz"
INT8_MODEL = "model.int8.onnx"
INT8_GOLDEN = "golden.int8.npz"
INT8_GALLERY = "gallery.int8.npz"
FLOAT32_TOLERANCE = 1e-4
"""Largest difference from the golden batch of the graph in float32."""
MAP = "map.npz"
THUMBNAILS = "thumbnails"
_BAD_ARRAYS = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Golden:
    """The answers of the model at its export; replayed when it is loaded."""

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

    def variant(self, precision: Precision) -> Variant | None:
        """The model at another precision; None where the bundle has it in float32 alone."""
        return next((one for one in self.manifest.variants if one.precision == precision), None)

    def may_mix(self, one: Precision, other: Precision) -> bool:
        """Return whether vectors of the two precisions may stand beside each other."""
        if one == other:
            return True
        variants = [found for each in (one, other) if (found := self.variant(each)) is not None]
        return all(variant.may_mix for variant in variants)

    def file_of(self, precision: Precision) -> str:
        """The graph at that precision, or in float32 where there is no other; inside the bundle."""
        variant = self.variant(precision)
        return variant.file if variant else MODEL

    @cached_property
    def report(self) -> Report:
        """The evaluation that was published with the model. Raises BundleDamaged."""
        try:
            return Report.model_validate_json((self.path / REPORT).read_bytes())
        except (OSError, ValidationError) as error:
            raise self._damaged(f"{REPORT}: {error}") from error

    def golden(self, precision: Precision = "float32") -> Golden:
        """The golden batch of the graph at that precision. Raises BundleDamaged."""
        variant = self.variant(precision)
        path = self.path / (variant.golden if variant else GOLDEN)
        return Golden(*self._arrays(path, "images", "embedding", "probabilities"))

    def gallery(self, precision: Precision = "float32") -> Gallery:
        """The gallery's embeddings at that precision, labels and ids. Raises BundleDamaged."""
        embeddings, labels, ids = self._arrays(self.path / GALLERY, "embeddings", "labels", "ids")
        variant = self.variant(precision)
        if variant and variant.gallery:
            (embeddings,) = self._arrays(self.path / variant.gallery, "embeddings")
        return Gallery(embeddings, labels, tuple(ids.tolist()))

    def thumbnails(self) -> Thumbnails | None:
        """The gallery's thumbnails; None where there are none. Raises BundleDamaged."""
        digest = self.manifest.thumbnails
        if digest is None:
            return None
        path = self.path.parent.parent / THUMBNAILS / f"{digest}.npz"
        if not path.is_file() or sha256_of(path) != digest:
            raise self._damaged(f"{path.name} is missing or altered")
        return Thumbnails(*self._arrays(path, "data", "offsets"))

    def test_images(self) -> TestImages | None:
        """The test images that the map shows; None where there are none. Raises BundleDamaged."""
        digest = self.manifest.test_images
        if digest is None:
            return None
        path = self.path.parent.parent / THUMBNAILS / f"{digest}.npz"
        if not path.is_file() or sha256_of(path) != digest:
            raise self._damaged(f"{path.name} is missing or altered")
        try:
            return read_test_images(path)
        except InvalidTestImages as error:
            raise self._damaged(f"{path.name}: {error}") from error

    def image_map(self) -> ImageMap | None:
        """The map of its images; None where it has none. Raises BundleDamaged."""
        if MAP not in self.manifest.files:
            return None
        try:
            found = read_map(self.path / MAP)
        except InvalidMap as error:
            raise self._damaged(f"{MAP}: {error}") from error
        if found.model_sha256 != self.manifest.files[MODEL].sha256:
            raise self._damaged(f"{MAP} was made by another {MODEL}")
        return found

    def figure_path(self, name: str) -> Path | None:
        """The SVG of that name; None where the bundle has no such figure."""
        relative = f"figures/{name}.svg"
        return self.path / relative if relative in self.manifest.files else None

    def _arrays(self, path: Path, *keys: str) -> list[NDArray[Any]]:
        try:
            with np.load(path) as arrays:
                return [arrays[key] for key in keys]
        except _BAD_ARRAYS as error:
            raise self._damaged(f"{path.name}: {error}") from error

    def _damaged(self, reason: str) -> BundleDamaged:
        return BundleDamaged(self.manifest.name, self.manifest.version, reason)
