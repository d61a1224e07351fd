"""The map of a model: its test images and gallery on a plane, with what it says of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from models import open_set
from models.image_map import NOT_SAID, ImageMap, PlaneQuality, sha256_of_ids
from models.manifest import Metric, Sha256, UnknownRule
from training.evaluation.answers import Answers
from training.evaluation.plane import Plane, lay_out, quality

MOST_TESTS = 20_000
"""Test images on a map; of more, as many, chosen by chance but always the same."""


@dataclass(frozen=True)
class MapContents:
    """The contents of the map: answers for test images and gallery, and their origins."""

    test: Answers
    gallery: Answers
    metric: Metric
    rule: UnknownRule | None  # where a measurement chose it
    model_sha256: Sha256

    @property
    def images_sha256(self) -> Sha256:
        """Of the ids of all points, in order."""
        return sha256_of_ids((*self.test.ids, *self.gallery.ids))

    @property
    def embeddings(self) -> Float32[np.ndarray, "n d"]:
        """Of all points, in order."""
        return np.concatenate([self.test.embeddings, self.gallery.embeddings])

    @property
    def probabilities(self) -> Float32[np.ndarray, "n c"]:
        """Of all points, in order."""
        return np.concatenate([self.test.probabilities, self.gallery.probabilities])


def shown_rows(tests: int) -> Int64[np.ndarray, " m"]:
    """The test images that are on the map, in the data set's order."""
    if tests <= MOST_TESTS:
        return np.arange(tests)
    return np.sort(np.random.default_rng(0).permutation(tests)[:MOST_TESTS])


def make_map(shown: MapContents, reference: ImageMap | None = None) -> ImageMap:
    """Lay the images out, beginning with the reference's plane where that is of the same images."""
    start = None
    if reference is not None and reference.images_sha256 == shown.images_sha256:
        start = _plane(reference)
    plane, method = lay_out(shown.embeddings, start)
    return _map(shown, plane, quality(shown.embeddings, plane), method)


def refreshed(old: ImageMap, shown: MapContents) -> ImageMap:
    """The same plane with what the model says now, where its embeddings are still the same."""
    return _map(shown, _plane(old), old.quality, old.method)


def _plane(known: ImageMap) -> Plane:
    return np.stack([known.x, known.y], axis=1).astype(np.float64)


def _map(shown: MapContents, plane: Plane, found: PlaneQuality, method: str) -> ImageMap:
    probabilities = shown.probabilities
    return ImageMap(
        x=plane[:, 0].astype(np.float32),
        y=plane[:, 1].astype(np.float32),
        prediction=probabilities.argmax(axis=1),
        confidence=probabilities.max(axis=1),
        unknown=_unknown(shown),
        tests=len(shown.test),
        quality=found,
        method=method,
        model_sha256=shown.model_sha256,
        images_sha256=shown.images_sha256,
        rule=shown.rule,
    )


def _unknown(shown: MapContents) -> UInt8[np.ndarray, " n"]:
    rule, gallery = shown.rule, shown.gallery
    if rule is None:
        return np.full(len(shown.test) + len(gallery), NOT_SAID, np.uint8)
    compared = open_set.reference(
        rule.scorer, rule.k, shown.metric, gallery.embeddings, gallery.labels
    )
    scores = open_set.scores(rule.scorer, shown.embeddings, shown.probabilities, compared)
    return open_set.is_unknown(rule, scores).astype(np.uint8)
