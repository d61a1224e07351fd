"""Pairs counted by image and by score: all that thresholds, maps and their intervals need."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from models.evidence.estimate import Estimate
from models.evidence.pairs import PairRates
from models.manifest import Metric
from training.evaluation.intervals import of_influence

_BLOCK_ITEMS = 2**21

Points = Float64[np.ndarray, "n d"]
Labels = Int64[np.ndarray, " n"]
Edges = Float64[np.ndarray, " e"]
Counts = Int64[np.ndarray, "n e1"]


def scores_of(
    rows: Float64[np.ndarray, "r d"], columns: Float64[np.ndarray, "c d"], metric: Metric
) -> Float64[np.ndarray, "r c"]:
    """Scores as the API has them: cosines of points of unit length, or minus squared distances."""
    products = rows @ columns.T
    if metric == "cosine":
        cosines: Float64[np.ndarray, "r c"] = np.clip(products, -1, 1)
        return cosines
    squares = np.square(rows).sum(axis=1)[:, None] + np.square(columns).sum(axis=1)
    away: Float64[np.ndarray, "r c"] = np.maximum(squares - 2 * products, 0)
    return -away


@dataclass(frozen=True)
class PairTable:
    """For each image, the number of its pairs of each kind between two edges of the score.

    Column j counts pairs whose score reaches `edges[:j]` and not `edges[j]`; each pair is counted
    with either of its images.
    """

    edges: Edges
    genuine: Counts
    impostor: Counts

    @classmethod
    def of(cls, points: Points, labels: Labels, metric: Metric, edges: Edges) -> "PairTable":
        """Count every pair of different images. `edges` rise."""
        n, width = len(points), len(edges) + 1
        kinds = np.zeros((2, n, width), np.int64)
        size = max(1, _BLOCK_ITEMS // max(n, 1))
        for start in range(0, n, size):
            rows = np.arange(start, min(start + size, n))
            scores = scores_of(points[rows], points, metric)
            places = np.searchsorted(edges, scores.ravel(), side="right").reshape(scores.shape)
            same = labels[rows, None] == labels
            cells = (same * len(rows) + (rows - start)[:, None]) * width + places
            found = np.bincount(cells.ravel(), minlength=2 * len(rows) * width)
            kinds[:, rows] = found.reshape(2, len(rows), width)
            kinds[1, rows, places[rows - start, rows]] -= 1  # an image with itself
        return cls(edges, kinds[1], kinds[0])

    @property
    def both_kinds(self) -> bool:
        """Return whether there is a pair of either kind."""
        return bool(self.genuine.any() and self.impostor.any())

    def rates(self, thresholds: Edges) -> tuple[PairRates, ...]:
        """The errors of these thresholds, which are among the edges."""
        places = np.searchsorted(self.edges, thresholds) + 1
        accepted, whole = _reaching(self.impostor, places)
        rejected, genuine = _reaching(self.genuine, places)
        rejected = genuine[:, None] - rejected
        return tuple(
            PairRates(
                threshold=float(threshold),
                far=_share(accepted[:, column], whole),
                frr=_share(rejected[:, column], genuine),
            )
            for column, threshold in enumerate(thresholds)
        )

    def shares(self) -> tuple[Float64[np.ndarray, " e1"], Float64[np.ndarray, " e1"]]:
        """The share of all genuine, and of all impostor pairs that each column has."""
        genuine, impostor = self.genuine.sum(axis=0), self.impostor.sum(axis=0)
        return genuine / genuine.sum(), impostor / impostor.sum()

    @property
    def pairs(self) -> tuple[int, int]:
        """The number of genuine pairs, and of impostor pairs."""
        return int(self.genuine.sum()) // 2, int(self.impostor.sum()) // 2


def _reaching(
    counts: Counts, places: Int64[np.ndarray, " t"]
) -> tuple[Int64[np.ndarray, "n t"], Labels]:
    from_column = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    padded = np.pad(from_column, ((0, 0), (0, 1)))
    return padded[:, places], from_column[:, 0]


def _share(moved: Labels, whole: Labels) -> Estimate:
    """A share of pairs; each image moves it by its own share's distance from the whole's."""
    value = float(moved.sum() / whole.sum())
    return of_influence(value, 2 * (moved - value * whole) / whole.sum())


def sorted_scores(
    points: Points, labels: Labels, metric: Metric
) -> tuple[Float64[np.ndarray, " g"], Float64[np.ndarray, " i"]]:
    """All scores of genuine and of impostor pairs, each pair once, ascending."""
    n = len(points)
    kinds = (list[np.ndarray](), list[np.ndarray]())
    size = max(1, _BLOCK_ITEMS // max(n, 1))
    for start in range(0, n, size):
        rows = np.arange(start, min(start + size, n))
        scores = scores_of(points[rows], points, metric)
        once: Bool[np.ndarray, "r n"] = np.arange(n) > rows[:, None]
        same = labels[rows, None] == labels
        kinds[0].append(scores[once & same])
        kinds[1].append(scores[once & ~same])
    genuine, impostor = (np.sort(np.concatenate([np.empty(0), *one])) for one in kinds)
    return genuine, impostor
