"""The score of an unknown image: the one that training fits and the service applies."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.manifest import Metric, Scorer, UnknownRule
from models.shape import Gaussians, Subspace
from models.vectors import unit

_BLOCK_ITEMS = 2**22  # distances held at once
_SPARE = 16  # rows beyond twice k that are measured exactly, so that float32 hides none


@dataclass(frozen=True)
class DistanceReference:
    """The reference of distances: the k-th nearest of `rows` counts."""

    metric: Metric
    rows: NDArray[np.float64]  # [r, d], of unit length where the metric is cosine
    k: int
    columns: NDArray[np.float32]  # [d, r], the rows again, to find the nearest fast
    squares: NDArray[np.float32]  # [r], their squared lengths
    shape: Gaussians | Subspace | None = None  # of the gallery, for the scorers that fit one


def reference(
    scorer: Scorer,
    k: int | None,
    metric: Metric,
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> DistanceReference:
    """From the gallery's embeddings [n, d] and labels [n]: what the scorer compares with.

    Class means of embeddings at unit length (where the metric is cosine), for
    `class_mean_distance`; every row, for `knn_distance` (k is 1 where None, and at most n);
    nothing, for `max_probability`; the shape of all rows, for `relative_mahalanobis` and
    `principal_residual`.
    """
    nothing = _referring_to(np.empty((0, embeddings.shape[1])), metric, 1)
    if scorer == "max_probability" or len(embeddings) == 0:
        return nothing
    rows = _ready(embeddings, metric)
    if scorer == "relative_mahalanobis":
        return replace(nothing, shape=Gaussians.of(rows, labels))
    if scorer == "principal_residual":
        return replace(nothing, shape=Subspace.of(rows))
    if scorer == "knn_distance":
        return _referring_to(rows, metric, min(k or 1, len(rows)))
    means = [rows[labels == label].mean(axis=0) for label in np.unique(labels)]
    return _referring_to(_ready(np.array(means).reshape(-1, rows.shape[1]), metric), metric, 1)


def scores(
    scorer: Scorer,
    embeddings: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    reference: DistanceReference,
) -> NDArray[np.float32]:
    """The unknown score [b] of embeddings [b, d] with probabilities [b, c]; higher is more unknown.

    `max_probability`: 1 - max p. `relative_mahalanobis` and `principal_residual`: as `models.shape`
    has them, of embeddings at unit length where the metric is cosine. The others: the distance to
    the k-th nearest row of the reference, which is 1 - cosine (0 to 2) where the metric is cosine,
    else Euclidean. The nearest rows are found in float32 and measured in float64, each by itself,
    so that an image's score does not depend on the batch that it came in.
    Raises ValueError for a distance to a reference without rows.
    """
    if scorer == "max_probability":
        doubt: NDArray[np.float32] = 1 - probabilities.max(axis=1)
        return doubt
    if reference.shape is not None:
        points = _ready(embeddings, reference.metric)
        return _by_shape(points, reference.shape).astype(np.float32)
    if len(reference.rows) == 0:
        raise ValueError(f"{scorer} needs a gallery with at least one image")
    size = max(1, _BLOCK_ITEMS // len(reference.rows))
    blocks = [
        _nearest(embeddings[start : start + size], reference)
        for start in range(0, len(embeddings), size)
    ]
    return np.concatenate([np.empty(0), *blocks]).astype(np.float32)


def is_unknown(rule: UnknownRule, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which of the scores [b] are above the rule's threshold."""
    return scores.astype(np.float64) > rule.threshold


def _by_shape(points: NDArray[np.float64], shape: Gaussians | Subspace) -> NDArray[np.float64]:
    if isinstance(shape, Gaussians):
        return shape.relative_distances(points)
    return shape.residuals(points)


def _referring_to(rows: NDArray[np.float64], metric: Metric, k: int) -> DistanceReference:
    columns = np.ascontiguousarray(rows.T, dtype=np.float32)
    squares = np.square(rows).sum(axis=1).astype(np.float32)
    return DistanceReference(metric, rows, k, columns, squares)


def _nearest(embeddings: NDArray[np.float32], reference: DistanceReference) -> NDArray[np.float64]:
    queries = _ready(embeddings, reference.metric)
    rows = reference.rows[_candidates(queries, reference)]
    if reference.metric == "cosine":
        distances = np.maximum(1 - np.einsum("bd,bmd->bm", queries, rows), 0)
    else:
        distances = np.linalg.norm(queries[:, np.newaxis] - rows, axis=2)
    nearest: NDArray[np.float64] = np.partition(distances, reference.k - 1, axis=1)
    return nearest[:, reference.k - 1]


def _candidates(queries: NDArray[np.float64], reference: DistanceReference) -> NDArray[np.intp]:
    """The rows [b, m] that the k nearest are among."""
    n, wanted = len(reference.rows), 2 * reference.k + _SPARE
    if wanted >= n:
        return np.tile(np.arange(n), (len(queries), 1))
    closeness = queries.astype(np.float32) @ reference.columns
    if reference.metric == "l2":
        closeness -= reference.squares / 2  # the squared distance, but for what all rows share
    return np.argpartition(closeness, n - wanted, axis=1)[:, n - wanted :]


def _ready(rows: NDArray[np.float32] | NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    points = rows.astype(np.float64)
    if metric == "l2":
        return points
    return unit(points)
