"""How unknown an image looks: the one scoring that training fits and the service applies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.manifest import Metric, Scorer, UnknownRule

_BLOCK_ITEMS = 2**22  # distances held at once


@dataclass(frozen=True)
class Reference:
    """What distances are taken to: the k-th nearest of `rows` counts."""

    metric: Metric
    rows: NDArray[np.float64]  # [r, d], of unit length where the metric is cosine
    k: int


def reference(
    scorer: Scorer,
    k: int | None,
    metric: Metric,
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> Reference:
    """From the gallery's embeddings [n, d] and labels [n]: what the scorer compares with.

    Class means of embeddings at unit length (where the metric is cosine), for
    `class_mean_distance`; every row, for `knn_distance` (k is 1 where None, and at most n);
    nothing, for `max_probability`.
    """
    if scorer == "max_probability":
        return Reference(metric, np.empty((0, embeddings.shape[1])), 1)
    rows = _ready(embeddings, metric)
    if scorer == "knn_distance":
        return Reference(metric, rows, min(k or 1, len(rows)))
    means = [rows[labels == label].mean(axis=0) for label in np.unique(labels)]
    return Reference(metric, _ready(np.array(means).reshape(-1, rows.shape[1]), metric), 1)


def scores(
    scorer: Scorer,
    embeddings: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    reference: Reference,
) -> NDArray[np.float32]:
    """The unknown score [b] of embeddings [b, d] with probabilities [b, c]; higher is more unknown.

    `max_probability`: 1 - max p. The others: the distance to the k-th nearest row of the
    reference, which is 1 - cosine (0 to 2) where the metric is cosine, else Euclidean. In float64,
    so that an image's score does not depend on the batch that it came in.
    Raises ValueError for a distance to a reference without rows.
    """
    if scorer == "max_probability":
        doubt: NDArray[np.float32] = 1 - probabilities.max(axis=1)
        return doubt
    if len(reference.rows) == 0:
        raise ValueError(f"{scorer} needs a gallery with at least one image")
    size = max(1, _BLOCK_ITEMS // len(reference.rows))
    blocks = [
        _nearest(embeddings[start : start + size], reference)
        for start in range(0, len(embeddings), size)
    ]
    return np.concatenate([np.empty(0), *blocks]).astype(np.float32)


def is_unknown(rule: UnknownRule, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the scores [b] are above the rule's threshold."""
    return scores.astype(np.float64) > rule.threshold


def _nearest(embeddings: NDArray[np.float32], reference: Reference) -> NDArray[np.float64]:
    queries, rows = _ready(embeddings, reference.metric), reference.rows
    products = queries @ rows.T
    if reference.metric == "cosine":
        distances = np.maximum(1 - products, 0)
    else:
        squares = np.square(queries).sum(axis=1)[:, np.newaxis] + np.square(rows).sum(axis=1)
        distances = np.sqrt(np.maximum(squares - 2 * products, 0))
    nearest: NDArray[np.float64] = np.partition(distances, reference.k - 1, axis=1)
    return nearest[:, reference.k - 1]


def _ready(rows: NDArray[np.float32] | NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    points = rows.astype(np.float64)
    if metric == "l2":
        return points
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    unit: NDArray[np.float64] = points / np.maximum(lengths, np.finfo(np.float64).tiny)
    return unit
