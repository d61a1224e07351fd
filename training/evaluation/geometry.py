"""Distances, angles and scatter of the test embeddings, as they are served."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from sklearn import config_context
from sklearn.metrics import silhouette_score

from models.evidence.geometry import GeometrySection, PairValues, Silhouette
from models.manifest import Metric
from training.data.sampling import stratified
from training.evaluation.all_pairs import StreamingHistogram, cosine_blocks, distance_blocks
from training.evaluation.answers import Answers
from training.evaluation.collapse import (
    ClassMeans,
    class_margins,
    margin,
    margins_rad,
    neural_collapse,
    unit_rows,
)

PAIRED_IMAGES = 20_000
_SILHOUETTE_IMAGES = 10_000
_WORKING_MIB = 64
_ROUNDING = 1e-24  # of a sum of squares, relative to the embeddings' own


def geometry(
    train: Answers,
    test: Answers,
    names: tuple[str, ...],
    metric: Metric,
    weights: Float32[np.ndarray, "c d"] | None = None,
    seed: int = 0,
) -> GeometrySection:
    """The geometry of the test embeddings; class means are those of the training embeddings.

    `weights` are the class weights that the head multiplies embeddings with, for NC3; None where
    it has none. Its definitions are in `GeometrySection`. 10,000 test images of 64 numbers take
    seconds on one core.
    """
    rows = stratified(test.labels, PAIRED_IMAGES, seed)
    points, labels = test.embeddings[rows].astype(np.float64), test.labels[rows]
    within_distance, between_distance = _distances(points, labels, metric)
    angles = _angles(points, labels)
    margins = margins_rad(train, test)
    return GeometrySection(
        metric=metric,
        images=len(test),
        paired_images=len(rows),
        seed=seed,
        within_distance=within_distance,
        between_distance=between_distance,
        within_angle_rad=angles.within,
        between_angle_rad=angles.between,
        alignment=angles.alignment,
        uniformity=angles.uniformity,
        fisher_ratio=fisher_ratio(test),
        silhouette=_silhouette(test, metric, seed),
        collapse=neural_collapse(train, test, weights),
        margin=margin(margins),
        class_margins=class_margins(margins, test.labels, names),
    )


def fisher_ratio(test: Answers) -> float | None:
    """trace(between-class scatter) / trace(within-class scatter); None where the latter is 0."""
    classes = ClassMeans(test)
    within = float(np.square(classes.within).sum())
    points = test.embeddings.astype(np.float64)
    if within <= _ROUNDING * np.square(points).sum():
        return None
    total = float(np.square(points - points.mean(axis=0)).sum())
    return (total - within) / within


def _distances(
    points: Float64[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"], metric: Metric
) -> tuple[PairValues | None, PairValues | None]:
    upper = 2.0 if metric == "cosine" else _largest(points)
    within, between = StreamingHistogram(upper), StreamingHistogram(upper)
    for distances, same in distance_blocks(points, labels):
        within.add(distances[same])
        between.add(distances[~same])
    return within.values(), between.values()


def _largest(points: Float64[np.ndarray, "n d"]) -> float:
    """A bound on the distance of two points; 1 where they are all equal."""
    if len(points) == 0:
        return 1.0
    return 2 * float(np.linalg.norm(points - points.mean(axis=0), axis=1).max()) or 1.0


@dataclass(frozen=True)
class _Angles:
    within: PairValues | None
    between: PairValues | None
    alignment: float | None
    uniformity: float | None


def _angles(points: Float64[np.ndarray, "n d"], labels: Int64[np.ndarray, " n"]) -> _Angles:
    directed = np.linalg.norm(points, axis=1) > 0
    unit, labels = unit_rows(points[directed]), labels[directed]
    within, between = StreamingHistogram(math.pi), StreamingHistogram(math.pi)
    cosine_sum = kernel_sum = 0.0
    for cosines, same in cosine_blocks(unit, labels):
        angles = np.arccos(cosines)
        within.add(angles[same])
        between.add(angles[~same])
        cosine_sum += float(cosines[same].sum())
        kernel_sum += float(np.exp(4 * (cosines - 1)).sum())  # -2 d^2, of d^2 = 2 - 2 cos
    near, pairs = within.values(), len(unit) * (len(unit) - 1) // 2
    return _Angles(
        within=near,
        between=between.values(),
        alignment=2 - 2 * cosine_sum / near.pairs if near else None,
        uniformity=math.log(kernel_sum / pairs) if pairs else None,
    )


def _silhouette(test: Answers, metric: Metric, seed: int) -> Silhouette:
    rows = stratified(test.labels, _SILHOUETTE_IMAGES, seed)
    labels = test.labels[rows]
    if not 2 <= len(np.unique(labels)) < len(labels):
        return Silhouette(value=None, images=len(rows))
    distance = "cosine" if metric == "cosine" else "euclidean"
    with config_context(working_memory=_WORKING_MIB):
        value = silhouette_score(test.embeddings[rows], labels, metric=distance)
    return Silhouette(value=float(value), images=len(rows))
