"""A vote of the nearest labeled items: which label, with which share, and how near."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from models.logistic import sigmoid

Scores = Float64[np.ndarray, "n k"]
Labels = Int64[np.ndarray, "n k"]
Column = Float64[np.ndarray, " n"]
NOBODY = -1  # where fewer than k items are labeled


@dataclass(frozen=True)
class LabelVotes:
    """For each query, the label that most weight names, its share, and the nearest score."""

    label: Int64[np.ndarray, " n"]
    share: Column
    shares: Scores  # of the label of each neighbor; equal for neighbors of one label
    nearest: Column


@dataclass(frozen=True)
class VoteRule:
    """The k nearest vote, each with weight exp(sharpness * (its score - the nearest score))."""

    k: int
    sharpness: float

    def votes(self, scores: Scores, labels: Labels) -> LabelVotes:
        """Count the votes; neighbors are in order, nearest first, NOBODY where there is none."""
        scores, labels = scores[:, : self.k], labels[:, : self.k]
        there = labels != NOBODY
        away = np.where(there, scores - scores[:, :1], 0)
        weights = np.where(there, np.exp(np.minimum(self.sharpness * away, 0)), 0)
        alike = (labels[:, :, None] == labels[:, None, :]) & there[:, None, :]
        total = np.maximum(weights.sum(axis=1), np.finfo(np.float64).tiny)
        shares = np.where(there, (alike * weights[:, None, :]).sum(axis=2), 0) / total[:, None]
        best = shares.argmax(axis=1)  # the first of several: the nearest
        rows = np.arange(len(best))
        return LabelVotes(labels[rows, best], shares[rows, best], shares, scores[:, 0])

    def smoothed(self, shares: Column, labels: int) -> Column:
        """Shares as if one further neighbor had voted for every label alike."""
        found: Column = (shares * self.k + 1 / labels) / (self.k + 1)
        return found


@dataclass(frozen=True)
class VoteConfidence:
    """The probability that the named label is right; fitted, or a default without coefficients."""

    rule: VoteRule
    labels: int
    coefficients: tuple[float, float, float] | None = None

    def probability(self, votes: LabelVotes) -> Column:
        """In 0..1; without coefficients the smoothed share, which nothing has calibrated."""
        if self.coefficients is None:
            return self.rule.smoothed(votes.share, self.labels)
        return sigmoid(self.features(votes) @ self.coefficients[:2] + self.coefficients[2])

    def features(self, votes: LabelVotes) -> Float64[np.ndarray, "n 2"]:
        """The log-odds of the smoothed share, and the nearest score."""
        share = self.rule.smoothed(votes.share, self.labels)
        return np.column_stack([np.log(share / (1 - share)), votes.nearest])
