"""The worth of each query's ranking, and the weight of each image in the mean over queries.

Influences are to first order (the infinitesimal jackknife; Efron 1982): an image that is drawn w
times in a resample counts w times as a query, and w times among what every other query finds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

Found = Int64[np.ndarray, "q k"]
Hits = Bool[np.ndarray, "q k"]
ByQuery = Float64[np.ndarray, " q"]
ByRank = Float64[np.ndarray, "q k"]
ByImage = Float64[np.ndarray, " n"]
Rows = Int64[np.ndarray, " q"]


@dataclass(frozen=True)
class Ranked:
    """A measure of each query's ranking, and its derivatives.

    `unfound` is by the weight of a relevant image that lies beyond R; `moves` by that of the image
    at each rank, less `unfound` where it is relevant.
    """

    value: ByQuery
    unfound: ByQuery
    moves: ByRank


def average_precision(hits: Hits, relevant: Rows) -> Ranked:
    """Average precision at R of each query; `relevant` is its R, at most one more than `hits`."""
    rows, r, inside = _ranks(hits, relevant)
    ranks = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / ranks
    gained = hits * precision
    total = (gained * inside).sum(axis=1)
    last = gained[rows, relevant - 1]
    later = _from_here(hits * inside / ranks)
    later_gain = _from_here(gained * inside / ranks)
    unfound = _after(gained, relevant) / relevant - total / relevant**2
    hit = (precision + later - later_gain) / r - (total / relevant**2)[:, None]
    missed = (-later_gain - last[:, None]) / r
    moves = np.where(hits, hit - unfound[:, None], missed) * inside
    return Ranked(total / relevant, unfound, moves)


def r_precision(hits: Hits, relevant: Rows) -> Ranked:
    """The share of relevant images among the R nearest."""
    rows, r, inside = _ranks(hits, relevant)
    total = (hits * inside).sum(axis=1)
    last = hits[rows, relevant - 1].astype(np.float64)
    unfound = _after(hits.astype(np.float64), relevant) / relevant - total / relevant**2
    hit = 1 / r - (total / relevant**2)[:, None]
    moves = np.where(hits, hit - unfound[:, None], (-last / relevant)[:, None]) * inside
    return Ranked(total / relevant, unfound, moves)


class QueryInfluence:
    """By how much each of n images moves the mean over queries; filled block by block."""

    def __init__(self, places: Int64[np.ndarray, " n"], classes: int, queries: int) -> None:
        self._places, self._queries = places, queries
        self._sums, self._by_class = np.zeros(len(places)), np.zeros(classes)

    def add(self, part: Rows, near: Found, ranked: Ranked) -> None:
        """Count the queries in `part`, which found the rows in `near`."""
        self._sums += np.bincount(near.ravel(), ranked.moves.ravel(), minlength=len(self._sums))
        self._sums[part] += ranked.value - ranked.unfound
        self._by_class += np.bincount(
            self._places[part], ranked.unfound, minlength=len(self._by_class)
        )

    @property
    def influence(self) -> ByImage:
        """The sum is 0."""
        moved = (self._sums + self._by_class[self._places]) / max(1, self._queries)
        centered: ByImage = moved - moved.mean()
        return centered


def _ranks(hits: Hits, relevant: Rows) -> tuple[Rows, Int64[np.ndarray, "q 1"], Hits]:
    r = relevant[:, None]
    return np.arange(len(hits)), r, np.arange(1, hits.shape[1] + 1) <= r


def _after(gained: ByRank, relevant: Rows) -> ByQuery:
    """Return the gain of the rank after R; 0 where nothing stands there."""
    depth = gained.shape[1]
    following = np.minimum(relevant, depth - 1)
    after: ByQuery = np.where(relevant < depth, gained[np.arange(len(gained)), following], 0)
    return after


def _from_here(values: ByRank) -> ByRank:
    """The sum of each value and those after it."""
    sums: ByRank = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
    return sums
