"""Does one threshold suit every class? OPIS, and by how much each image moves it.

Source: Zhang et al. 2024, Threshold-Consistent Margin Loss for Open-World Deep Metric Learning
(ICLR, arXiv 2307.04047), which defines the Operating-Point-Inconsistency Score.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from models.evidence.estimate import Estimate
from models.manifest import Metric
from training.evaluation.intervals import of_influence
from training.evaluation.pair_scores import Scores

NEAR_FAR, WIDE_FAR = 1e-2, 1e-1  # the range of thresholds, by the impostor pairs accepted
THRESHOLDS = 100  # at the middles of as many equal steps of distance
_FEWEST_CLASSES = 2
_BESIDE = 10  # thresholds over which the density of impostor pairs at an end is taken
_LEAST_DENSITY = 0.1 * (WIDE_FAR - NEAR_FAR) / THRESHOLDS  # a tenth of the mean, in small sets
_BLOCK_ITEMS = 2**21

Points = Float64[np.ndarray, "n d"]
Labels = Int64[np.ndarray, " n"]
ByClass = Float64[np.ndarray, "c t"]
Curve = Float64[np.ndarray, " t"]
Table = Float64[np.ndarray, "c b"]


@dataclass(frozen=True)
class ThresholdErrors:
    """Each class's errors at each threshold, over every pair of its images and of the others.

    Images are sorted by `places`, the rows of their classes in `counts`; `order` are their rows
    before. `bins[i, j]` is how many thresholds lie below the distance of images i and j.
    """

    order: Labels
    places: Labels
    counts: Int64[np.ndarray, " c"]
    bins: UInt8[np.ndarray, "n n"]
    step: float

    @classmethod
    def of(
        cls, points: Points, labels: Labels, metric: Metric, scores: Scores
    ) -> "ThresholdErrors | None":
        """None where fewer than two classes have a pair, or pairs are too few for a FAR of 1 %.

        `points` are of unit length where the metric is cosine; `scores` are those of their pairs.
        """
        _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
        if (counts > 1).sum() < _FEWEST_CLASSES:
            return None
        near, wide = scores.threshold(NEAR_FAR), scores.threshold(WIDE_FAR)
        if near is None or wide is None:
            return None
        low, high = _distance(near, metric), _distance(wide, metric)
        if not low < high:
            return None
        order = np.argsort(places, kind="stable")
        step = (high - low) / THRESHOLDS
        bins = _bins(points[order] - points.mean(axis=0), low, step)
        return cls(order, places[order], counts, bins, step)

    @property
    def paired(self) -> Bool[np.ndarray, " c"]:
        """The classes with a pair of images; the others have no sensitivity, and do not count."""
        return self.counts > 1

    def blocks(self) -> Iterator[tuple[int, slice, Int64[np.ndarray, "r n"]]]:
        """Class, its rows in parts, and the cell of a class-by-bin table for each of their pairs.

        An image with itself is among the pairs, in its class's first bin.
        """
        columns = self.places * (THRESHOLDS + 1)
        size = max(1, _BLOCK_ITEMS // len(columns))
        stops = np.cumsum(self.counts).tolist()
        for place, (count, stop) in enumerate(zip(self.counts.tolist(), stops, strict=True)):
            for start in range(stop - count, stop, size):
                rows = slice(start, min(start + size, stop))
                yield place, rows, columns + self.bins[rows]

    def accepted(self) -> "AcceptedPairs":
        """The shares of pairs at most as far apart as each threshold."""
        classes = len(self.counts)
        genuine, impostor = np.zeros((2, classes, THRESHOLDS + 1))
        for place, rows, cells in self.blocks():
            length = classes * (THRESHOLDS + 1)
            found = np.bincount(cells.ravel(), minlength=length).reshape(classes, -1)
            genuine[place] += found[place]
            genuine[place, 0] -= rows.stop - rows.start
            impostor[place] += found.sum(axis=0) - found[place]
        return AcceptedPairs(genuine, impostor, self.paired)

    def influence(self) -> Float64[np.ndarray, " n"]:
        """By how much each image moves OPIS, to first order; the sum is 0."""
        same, other = self._moves()
        moved = np.zeros(len(self.places))
        for place, rows, cells in self.blocks():
            table = other + other[place]
            table[place] = same[place]
            moved[rows] = table.ravel()[cells].sum(axis=1) - same[place, 0]
        placed = np.empty_like(moved)
        placed[self.order] = moved
        return placed

    def estimate(self) -> Estimate:
        """OPIS with its 95 % interval over images."""
        return of_influence(self.accepted().opis, self.influence())

    def _moves(self) -> tuple[Table, Table]:
        """Return the effect of a genuine pair of each class and bin, and of an impostor pair."""
        shares = self.accepted()
        by_sensitivity, by_accepted = shares.slopes()
        same = _added(by_sensitivity, shares.sensitivity, shares.genuine.sum(axis=1) / 2)
        other = _added(by_accepted, shares.false_accepts, shares.impostor.sum(axis=1))
        pairs = shares.impostor.sum() / 2
        return same, other + _added(shares.by_range(), shares.overall[None], np.array([pairs])) / 2


@dataclass(frozen=True)
class AcceptedPairs:
    """The number of pairs of each class in each bin: ordered pairs within it, and with others."""

    genuine: Table
    impostor: Table
    paired: Bool[np.ndarray, " c"]

    @property
    def sensitivity(self) -> ByClass:
        """Share of a class's genuine pairs accepted at each threshold; 0 where it has none."""
        return _shares(self.genuine)

    @property
    def false_accepts(self) -> ByClass:
        """Share of the impostor pairs with one image of the class that are accepted."""
        return _shares(self.impostor)

    @property
    def overall(self) -> Curve:
        """Share of all impostor pairs that are accepted."""
        whole: Curve = _shares(self.impostor.sum(axis=0, keepdims=True))[0]
        return whole

    @property
    def utility(self) -> ByClass:
        """The harmonic mean of sensitivity and specificity; 0 where both are."""
        kept = 1 - self.false_accepts
        utility: ByClass = 2 * self.sensitivity * kept / _positive(self.sensitivity + kept)
        return utility

    @property
    def variances(self) -> Curve:
        """Of the utility over the classes, at each threshold."""
        found: Curve = self.utility[self.paired].var(axis=0)
        return found

    @property
    def opis(self) -> float:
        """Their mean over the thresholds, 0..1/4: 0 where each suits all classes alike."""
        return float(self.variances.mean())

    def slopes(self) -> tuple[ByClass, ByClass]:
        """Of OPIS, by each class's sensitivity and by its false accepts at each threshold."""
        utility = self.utility
        away = 2 * (utility - utility[self.paired].mean(axis=0)) / utility[self.paired].size
        away[~self.paired] = 0
        kept = 1 - self.false_accepts
        squares = _positive(self.sensitivity + kept) ** 2
        return away * 2 * kept**2 / squares, -away * 2 * self.sensitivity**2 / squares

    def by_range(self) -> ByClass:
        """Of OPIS, by the share of all impostor pairs accepted at the two ends of the range.

        More accepted pairs draw an end nearer, in steps of the thresholds.
        """
        variances, overall = self.variances, self.overall
        slopes = np.zeros((1, THRESHOLDS))
        near, wide = ((overall[i + _BESIDE] - overall[i]) / _BESIDE for i in (0, -1 - _BESIDE))
        slopes[0, 0] = -(self.opis - variances[0]) / max(near, _LEAST_DENSITY)
        slopes[0, -1] = -(variances[-1] - self.opis) / max(wide, _LEAST_DENSITY)
        return slopes / THRESHOLDS


def opis(points: Points, labels: Labels, metric: Metric, scores: Scores) -> float | None:
    """Measure how unequal a threshold serves the classes; None where `ThresholdErrors.of` is."""
    found = ThresholdErrors.of(points, labels, metric, scores)
    return None if found is None else found.accepted().opis


def _distance(score: float, metric: Metric) -> float:
    return float(np.sqrt(max(0.0, 2 - 2 * score))) if metric == "cosine" else -score


def _bins(points: Points, low: float, step: float) -> UInt8[np.ndarray, "n n"]:
    n = len(points)
    squares = np.square(points).sum(axis=1)
    bins = np.empty((n, n), np.uint8)
    size = max(1, _BLOCK_ITEMS // n)
    for start in range(0, n, size):
        rows = slice(start, start + size)
        away = squares[rows, None] + squares - 2 * (points[rows] @ points.T)
        np.sqrt(np.maximum(away, 0, out=away), out=away)
        away -= low - step / 2
        away /= step
        bins[rows] = np.clip(away, 0, THRESHOLDS, out=away)
    np.fill_diagonal(bins, 0)
    return bins


def _shares(counts: Table) -> ByClass:
    """Of each row's pairs, those in a threshold's bin or a nearer one."""
    nearer: ByClass = np.cumsum(counts, axis=1)[:, :-1] / _positive(counts.sum(axis=1))[:, None]
    return nearer


def _added(slopes: ByClass, shares: ByClass, pairs: Float64[np.ndarray, " c"]) -> Table:
    """Return the effect of one more pair in each bin, accepted from its threshold on."""
    from_bin = np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]
    none = np.zeros((len(slopes), 1))
    expected = (slopes * shares).sum(axis=1, keepdims=True)
    added: Table = np.concatenate([from_bin, none], axis=1) - expected
    added /= _positive(pairs)[:, None]
    return added


def _positive(values: Float64[np.ndarray, "*s"]) -> Float64[np.ndarray, "*s"]:
    """1 in place of 0, to divide by."""
    positive: Float64[np.ndarray, "*s"] = np.where(values > 0, values, 1.0)
    return positive
