"""Nearest neighbors of every vector among the others: votes, copies, outliers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.manifest import Metric
from models.vectors import unit

_BLOCK_VALUES = 4_000_000  # of a block of scores, so that 16 MB of them are held at a time
_FENCES = 3.0  # interquartile ranges beyond the quartile: Tukey's "far out" (1977)
FAR_NEIGHBORS = 10
"""An outlier is judged by the mean distance to so many neighbors."""

Step = Callable[[int], None]  # so many more vectors are done; may raise to stop


@dataclass(frozen=True)
class Neighbors:
    """The k nearest others of each of n vectors, nearest first."""

    rows: NDArray[np.int64]  # [n, k]
    distances: NDArray[np.float32]  # [n, k], 1 - cosine or Euclidean

    def probabilities(
        self, labels: NDArray[np.int64], classes: int, copy_distance: float
    ) -> NDArray[np.float64]:
        """The share of each class among the neighbors, [n, c], with one vote spread over all.

        A neighbor within `copy_distance` is a copy, which knows no more than the image itself: it
        has no vote.
        """
        votes = np.zeros((len(self.rows), classes))
        counted = self.distances > copy_distance
        own = np.arange(len(self.rows))
        for place in range(self.rows.shape[1]):
            np.add.at(votes, (own, labels[self.rows[:, place]]), counted[:, place])
        votes += 1.0 / classes
        shares: NDArray[np.float64] = votes / votes.sum(axis=1, keepdims=True)
        return shares

    def remoteness(self) -> NDArray[np.float64]:
        """The mean distance to the nearest ten, [n]."""
        near = self.distances[:, :FAR_NEIGHBORS].astype(np.float64)
        found: NDArray[np.float64] = near.mean(axis=1)
        return found


def nearest(
    vectors: NDArray[np.float32], k: int, metric: Metric, step: Step = lambda _: None
) -> Neighbors:
    """Compare every vector with all others, exactly. `step` hears of progress, and may raise."""
    points = unit(vectors) if metric == "cosine" else vectors
    n, k = len(points), min(k, len(points) - 1)
    squares = np.square(points).sum(axis=1)
    rows, distances = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    size = max(1, _BLOCK_VALUES // max(n, 1))
    for start in range(0, n, size):
        block = slice(start, min(start + size, n))
        apart = squares[block, None] + squares - 2 * (points[block] @ points.T)
        own = np.arange(block.stop - start)
        apart[own, own + start] = np.inf
        near = np.argpartition(apart, max(k - 1, 0), axis=1)[:, :k]
        found = np.take_along_axis(apart, near, axis=1)
        order = np.argsort(found, axis=1, kind="stable")
        rows[block] = np.take_along_axis(near, order, axis=1)
        distances[block] = _as_distance(np.take_along_axis(found, order, axis=1), metric)
        step(len(own))
    return Neighbors(rows, distances)


def far_out(remoteness: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark each value that lies more than three interquartile ranges above the third quartile.

    >>> far_out(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 40.0])).tolist()
    [False, False, False, False, False, True]
    """
    lower, upper = np.quantile(remoteness, (0.25, 0.75)) if len(remoteness) else (0.0, 0.0)
    beyond: NDArray[np.bool_] = (upper > lower) & (remoteness > upper + _FENCES * (upper - lower))
    return beyond


def voters(n: int, classes: int) -> int:
    """Count the neighbors that vote: half of a class's mean size, 5 at least and 50 at most."""
    return int(np.clip(n // (2 * max(classes, 1)), 5, 50))


def _as_distance(squares: NDArray[np.float32], metric: Metric) -> NDArray[np.float32]:
    """Of unit vectors, half of the squared distance is 1 - cosine."""
    positive: NDArray[np.float32] = np.maximum(squares, np.float32(0))
    if metric == "cosine":
        return (positive * np.float32(0.5)).astype(np.float32)
    return np.sqrt(positive).astype(np.float32)
