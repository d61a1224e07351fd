"""Scores of pairs of images of one class (genuine) and of two (impostor)."""

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from models.manifest import Metric
from training.evaluation.all_pairs import cosine_blocks, distance_blocks

SAMPLED_PAIRS = 200_000  # of each kind
_PARTS = 16

Sorted = Float32[np.ndarray, " p"]
Points = Float64[np.ndarray, "n d"]
Rows = Int64[np.ndarray, " n"]


@dataclass(frozen=True)
class Scores:
    """Ascending scores of both kinds, not empty; a pair is accepted where score >= threshold."""

    genuine: Float32[np.ndarray, " g"]
    impostor: Float32[np.ndarray, " i"]

    def far(self, threshold: float) -> float:
        """Share of impostor pairs accepted."""
        return _accepted(self.impostor, threshold) / len(self.impostor)

    def tar(self, threshold: float) -> float:
        """Share of genuine pairs accepted."""
        return _accepted(self.genuine, threshold) / len(self.genuine)

    def threshold(self, far: float) -> float | None:
        """The lowest that accepts at most that share of impostors; None below one pair's share."""
        allowed = math.floor(far * len(self.impostor) + 1e-9)
        if allowed == 0:
            return None
        if allowed >= len(self.impostor):
            return float(min(self.impostor[0], self.genuine[0]))
        return float(np.nextafter(self.impostor[-allowed - 1], np.float32(np.inf)))

    def equal_error(self) -> tuple[float, float]:
        """The equal error rate, and the threshold nearest to it.

        Where 1 - TAR meets FAR on the line between the ROC's two points around it; the threshold
        is that of the point where they are nearer.
        """
        below, above = -math.inf, math.inf
        for scores in (self.genuine, self.impostor):
            place = bisect_right(scores, 0.0, key=lambda score: self._excess(float(score)))
            below = max(below, float(scores[place - 1])) if place else below
            above = min(above, float(scores[place])) if place < len(scores) else above
        low, high = self._excess(below), self._excess(above)
        share = -low / (high - low)
        error = (1 - share) * self.far(below) + share * self.far(above)
        return error, below if math.isinf(above) or -low <= high else above

    def _excess(self, threshold: float) -> float:
        """False rejects less false accepts: from -1 to 1, rising with the threshold."""
        score = np.float32(threshold)
        rejected = int(np.searchsorted(self.genuine, score)) / len(self.genuine)
        return rejected - 1 + int(np.searchsorted(self.impostor, score)) / len(self.impostor)


def pair_scores(points: Points, labels: Rows, metric: Metric) -> Scores:
    """The scores of every unordered pair of different images; either kind may be empty.

    Cosines of points of unit length where the metric is cosine, else minus the distance.
    """
    _, counts = np.unique(labels, return_counts=True)
    genuine = np.empty(int((counts * (counts - 1)).sum()) // 2, np.float32)
    impostor = np.empty(len(labels) * (len(labels) - 1) // 2 - len(genuine), np.float32)
    blocks = cosine_blocks if metric == "cosine" else distance_blocks
    near = far = 0
    for values, same in blocks(points, labels):
        signed = values if metric == "cosine" else -values
        count = int(same.sum())
        genuine[near : near + count] = signed[same]
        impostor[far : far + len(same) - count] = signed[~same]
        near, far = near + count, far + len(same) - count
    genuine.sort()
    impostor.sort()
    return Scores(genuine, impostor)


class PairSample:
    """Random pairs of both kinds, drawn with replacement, whose images can be resampled.

    `genuine_pairs` and `impostor_pairs` [2, p] are rows of the points, in the order of `scores`.
    Needs a pair of either kind. Points are of unit length where the metric is cosine.
    """

    def __init__(self, points: Points, labels: Rows, metric: Metric, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._n = len(labels)
        genuine, impostor = self._pairs(labels)
        self.genuine_pairs, near = _by_score(points, genuine, metric)
        self.impostor_pairs, far = _by_score(points, impostor, metric)
        self.scores = Scores(near, far)

    def resampled(self) -> Scores | None:
        """Each pair as often as a resample of the images holds it; None where a kind is gone."""
        count = np.bincount(self._random.integers(self._n, size=self._n), minlength=self._n)
        one, other = self.genuine_pairs
        near = np.repeat(self.scores.genuine, count[one] * count[other])
        one, other = self.impostor_pairs
        far = np.repeat(self.scores.impostor, count[one] * count[other])
        return Scores(near, far) if len(near) and len(far) else None

    def _pairs(self, labels: Rows) -> tuple[Int64[np.ndarray, "2 p"], Int64[np.ndarray, "2 p"]]:
        order = np.argsort(labels, kind="stable")
        _, places, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
        size = counts[places]  # of each image's class, and where it starts in the order
        start = (np.cumsum(counts) - counts)[places]
        one = self._draw(size - 1)
        other = start[one] + self._random.integers(size[one] - 1)
        genuine = order[np.stack([one, other + (other >= one)])]  # not with itself
        one = self._draw(self._n - size)
        other = self._random.integers(self._n - size[one])
        impostor = order[np.stack([one, other + (other >= start[one]) * size[one]])]  # own class
        return genuine, impostor

    def _draw(self, weights: Rows) -> Int64[np.ndarray, " p"]:
        drawn: Int64[np.ndarray, " p"] = self._random.choice(
            self._n, SAMPLED_PAIRS, p=weights / weights.sum()
        )
        return drawn


def _by_score(
    points: Points, pairs: Int64[np.ndarray, "2 p"], metric: Metric
) -> tuple[Int64[np.ndarray, "2 p"], Sorted]:
    parts = np.array_split(pairs, _PARTS, axis=1)
    scores = np.concatenate([_scores(points[one], points[other], metric) for one, other in parts])
    order = np.argsort(scores)
    return pairs[:, order], scores[order].astype(np.float32)


def _scores(one: Points, other: Points, metric: Metric) -> Float64[np.ndarray, " p"]:
    if metric == "cosine":
        products: Float64[np.ndarray, " p"] = np.einsum("pd,pd->p", one, other)
        return products
    distances: Float64[np.ndarray, " p"] = np.linalg.norm(one - other, axis=1)
    return -distances


def _accepted(ascending: Sorted, threshold: float) -> int:
    return len(ascending) - int(np.searchsorted(ascending, np.float32(threshold)))
