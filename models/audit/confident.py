"""Probable label errors by confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EQUAL = 1e-6  # probabilities that differ by less are the same


@dataclass(frozen=True)
class LabelErrors:
    """The evidence against each of n labels.

    `confidence` is the probability of the label as given: the lower, the more likely an error.
    `suggested` is the class of the highest probability. `probable` marks the images that confident
    learning counts as another class.
    """

    probable: NDArray[np.bool_]  # [n]
    suggested: NDArray[np.int64]  # [n]
    confidence: NDArray[np.float64]  # [n]

    @property
    def ranked(self) -> NDArray[np.int64]:
        """The rows, the least confident label first."""
        return np.argsort(self.confidence, kind="stable").astype(np.int64)


def find_label_errors(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> LabelErrors:
    """Compare labels with probabilities that were made without them.

    `probabilities` is [n, c] and out of sample: row i comes from a model that did not see label i.
    A class's threshold is the mean probability of the class among the images that carry it (their
    equation 2). An image that reaches the threshold of another class than its own, and prefers
    another one, is a probable error: it stands off the diagonal of the confident joint.

    >>> probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.9, 0.1]])
    >>> find_label_errors(np.array([0, 0, 1, 1]), probabilities).probable.tolist()
    [False, False, False, True]
    """
    confident = probabilities >= _thresholds(labels, probabilities) - _EQUAL
    preferred = probabilities.argmax(axis=1)
    counted = np.where(confident.sum(axis=1) > 1, preferred, confident.argmax(axis=1))
    rows = np.arange(len(labels))
    return LabelErrors(
        probable=confident.any(axis=1) & (counted != labels) & (preferred != labels),
        suggested=preferred.astype(np.int64),
        confidence=probabilities[rows, labels],
    )


def _thresholds(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A class without images has a threshold that nothing reaches."""
    n, classes = probabilities.shape
    sums = np.bincount(labels, weights=probabilities[np.arange(n), labels], minlength=classes)
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), 2.0)
