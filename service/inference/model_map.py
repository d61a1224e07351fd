"""A loaded model's map: its test images and gallery on a plane, as columns and as rows."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.bundle import MAP, Bundle, Gallery
from models.errors import BundleDamaged
from models.image_map import ImageMap, InvalidMap, check_classes
from models.manifest import Sha256
from models.test_images import Grid, TestImages

_SMALL = 256  # classes that uint8 can number


@dataclass(frozen=True)
class PointColumn:
    """One column of the points, little-endian, as long as there are points."""

    name: str
    dtype: str
    offset: int


@dataclass(frozen=True)
class ModelMap:
    """The points of one model: the test images, then the gallery's, in its order."""

    points: ImageMap
    labels: NDArray[np.int64]  # [n], index into the manifest's
    ids: tuple[str, ...]  # [n]
    grid: Grid  # of the test images' sheets
    test_images: Sha256  # models with the same have the same test images
    sha256: Sha256  # of the map's file

    def __len__(self) -> int:
        return len(self.points)

    @property
    def tests(self) -> int:
        """The first so many points are test images."""
        return self.points.tests

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Return the test images that the model takes for another class, [tests]."""
        found: NDArray[np.bool_] = (self.points.prediction != self.labels)[: self.tests]
        return found

    @cached_property
    def columns(self) -> tuple[PointColumn, ...]:
        """Return the place of each column in `data`."""
        found, offset = list[PointColumn](), 0
        for name, values in self._arrays.items():
            found.append(PointColumn(name, values.dtype.name, offset))
            offset += values.nbytes
        return tuple(found)

    @cached_property
    def data(self) -> bytes:
        """All columns, one behind the other; the widest values first, so that each is aligned."""
        return b"".join(values.tobytes() for values in self._arrays.values())

    @cached_property
    def data_sha256(self) -> Sha256:
        """Of `data`."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        points = self.points
        highest = max(self.labels.max(initial=0), points.prediction.max(initial=0))
        number = "u1" if highest < _SMALL else "<u2"
        return {
            "x": points.x.astype("<f4"),
            "y": points.y.astype("<f4"),
            "confidence": points.confidence.astype("<f4"),
            "label": self.labels.astype(number),
            "prediction": points.prediction.astype(number),
            "unknown": points.unknown.astype("u1"),
        }


def make_model_map(
    bundle: Bundle, points: ImageMap, tests: TestImages, digest: Sha256, gallery: Gallery
) -> ModelMap:
    """The map with what it is a map of. Raises BundleDamaged where these do not belong together.

    Where the bundle's rule for unknown images is no longer the map's, the map says nothing of it.
    """
    manifest = bundle.manifest
    labels = np.concatenate([tests.labels, gallery.labels])
    try:
        points.check(len(tests), len(gallery.ids), len(manifest.labels))
        check_classes("labels", labels, len(manifest.labels))
    except InvalidMap as error:
        raise BundleDamaged(manifest.name, manifest.version, f"{MAP}: {error}") from error
    measured = bundle.report.unknowns.measured_rule is not None
    if points.rule != (manifest.unknown if measured else None):
        points = points.without_unknown()
    return ModelMap(
        points=points,
        labels=labels,
        ids=(*tests.ids, *gallery.ids),
        grid=tests.grid,
        test_images=digest,
        sha256=manifest.files[MAP].sha256,
    )
