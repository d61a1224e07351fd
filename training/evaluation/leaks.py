"""Copies across the splits, with the accuracy on test images that have none."""

import numpy as np
from jaxtyping import Bool

from models.evidence.estimate import Estimate
from models.evidence.leaks import Leaks
from training.data.copies import Copies
from training.data.copy_search import LARGEST_DIFFERENCE, LARGEST_DISTANCE
from training.evaluation.answers import Answers
from training.evaluation.intervals import share


def leaks(test: Answers, copies: Copies) -> Leaks:
    """Measure the effect of the copies that were found on a model's accuracy."""
    right = test.predicted == test.labels
    copied = np.zeros(len(test), bool)
    copied[copies.test_rows] = True
    return Leaks(
        largest_distance=LARGEST_DISTANCE,
        largest_difference=LARGEST_DIFFERENCE,
        overlaps=copies.overlaps,
        test_copies=int(copied.sum()),
        accuracy=share(right),
        accuracy_without=_share(right[~copied]),
        accuracy_on_copies=_share(right[copied]),
    )


def _share(right: Bool[np.ndarray, " n"]) -> Estimate | None:
    return share(right) if len(right) else None
