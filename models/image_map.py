"""The map of a model: its test images and gallery as points of a plane, as a bundle's file."""

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from models.manifest import Sha256, UnknownRule

NOT_SAID = 255  # in `unknown`: no measured rule says whether the image is unknown
_STEPS = 65_535  # of uint16: finer than a screen shows
_READ = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, ValidationError)


class InvalidMap(ValueError):
    """The file is not a map of this many images and classes."""


@dataclass(frozen=True)
class PlaneQuality:
    """The agreement of neighbors on the plane and in the embedding, both ways.

    Source: Venna and Kaski 2001, Neighborhood Preservation in Nonlinear Projection Methods.
    """

    trustworthiness: float  # 0..1; 1 where the k nearest on the plane are among the k nearest
    continuity: float  # 0..1; 1 where the k nearest are among the k nearest on the plane
    k: int


@dataclass(frozen=True)
class ImageMap:
    """The test images, then the gallery's, each a point with what the model says of it."""

    x: NDArray[np.float32]  # [n]
    y: NDArray[np.float32]  # [n], upward
    prediction: NDArray[np.int64]  # [n], index into Manifest.labels
    confidence: NDArray[np.float32]  # [n], calibrated, of the predicted class
    unknown: NDArray[np.uint8]  # [n], 0, 1 or NOT_SAID
    tests: int  # the first so many points are test images
    quality: PlaneQuality
    method: str  # in words: the projection, its parameters and its start
    model_sha256: Sha256  # of the model.onnx that was asked
    images_sha256: Sha256  # of the ids, in order: planes of the same images can be laid together
    rule: UnknownRule | None  # that `unknown` was made by

    def __len__(self) -> int:
        return len(self.x)

    def without_unknown(self) -> "ImageMap":
        """The same map, which does not say what is unknown."""
        return replace(self, unknown=np.full(len(self), NOT_SAID, np.uint8), rule=None)

    def check(self, tests: int, gallery: int, classes: int) -> None:
        """Raises InvalidMap where it is not one of these images."""
        columns = (self.x, self.y, self.prediction, self.confidence, self.unknown)
        if self.tests != tests or any(one.shape != (tests + gallery,) for one in columns):
            raise InvalidMap(
                f"it must have {tests:,} test images and {gallery:,} of the gallery "
                f"(got {self.tests:,} of {len(self):,} points)"
            )
        check_classes("predictions", self.prediction, classes)
        if not np.isin(self.unknown, (0, 1, NOT_SAID)).all():
            raise InvalidMap(f"unknown must be 0, 1 or {NOT_SAID}")


def check_classes(what: str, numbers: NDArray[np.int64], classes: int) -> None:
    """Raises InvalidMap where the numbers are not all of classes."""
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < classes:
        raise InvalidMap(f"its {what} must be 0 to {classes - 1}")


def sha256_of_ids(ids: Iterable[str]) -> Sha256:
    """Return a digest that two maps share where they are of the same images in the same order."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def write_map(path: Path, made: ImageMap) -> None:
    """Write it to `path`, positions and confidence rounded to 1 part in 65,535 of their range."""
    points = np.stack([made.x, made.y]).astype(np.float64)
    low = points.min(axis=1) if len(made) else np.zeros(2)
    span = float((points.max(axis=1) - low).max()) if len(made) else 0.0
    step = span / _STEPS or 1.0
    small = made.prediction.max(initial=0) <= np.iinfo(np.uint8).max
    arrays: dict[str, NDArray[np.generic]] = {
        "points": np.rint((points - low[:, None]) / step).astype(np.uint16),
        "low": low,
        "step": np.array(step),
        "prediction": made.prediction.astype(np.uint8 if small else np.uint16),
        "confidence": np.rint(made.confidence.astype(np.float64) * _STEPS).astype(np.uint16),
        "unknown": made.unknown,
        "tests": np.array(made.tests),
        "quality": np.array([made.quality.trustworthiness, made.quality.continuity]),
        "k": np.array(made.quality.k),
        "method": np.array(made.method),
        "model_sha256": np.array(made.model_sha256),
        "images_sha256": np.array(made.images_sha256),
        "rule": np.array("" if made.rule is None else made.rule.model_dump_json()),
    }
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_map(path: Path) -> ImageMap:
    """The map in `path`. Raises InvalidMap where the file is none."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            points = arrays["points"] * arrays["step"] + arrays["low"][:, None]
            trustworthiness, continuity = arrays["quality"].tolist()
            rule = str(arrays["rule"])
            found = ImageMap(
                x=points[0].astype(np.float32),
                y=points[1].astype(np.float32),
                prediction=arrays["prediction"].astype(np.int64),
                confidence=(arrays["confidence"] / _STEPS).astype(np.float32),
                unknown=arrays["unknown"].astype(np.uint8),
                tests=int(arrays["tests"]),
                quality=PlaneQuality(trustworthiness, continuity, int(arrays["k"])),
                method=str(arrays["method"]),
                model_sha256=str(arrays["model_sha256"]),
                images_sha256=str(arrays["images_sha256"]),
                rule=UnknownRule.model_validate_json(rule) if rule else None,
            )
    except (*_READ, IndexError, TypeError) as error:
        raise InvalidMap(str(error)) from error
    if not (np.isfinite(found.x).all() and np.isfinite(found.y).all()):
        raise InvalidMap("positions must be finite")
    return found
