"""Intervals of the NLL and the Brier score of n images about the true ones."""

import math

import numpy as np
from jaxtyping import Float64
from scipy.stats import t

from models.evidence.estimate import Estimate
from training.evaluation.intervals import of_unit_mean

_FEWEST = 2


def nll_interval(
    nll: Float64[np.ndarray, " n"], error_cost: Float64[np.ndarray, " n"]
) -> Estimate | None:
    """The mean of `nll` with its 95 % interval; None for one image.

    A few costly errors make most of an NLL, and a test set without one says little about it. So
    above the mean there is room for an error that was not drawn, at what the model itself says that
    errors cost: the mean of `error_cost`, the NLL that each image is expected to have where the
    class named is wrong. Below the mean the interval is symmetric in the logarithm, for no NLL is
    under 0. Student's t holds 27 to 95 % at 16 images, 37 to 96 % at 60; this held 94 to 99 % with
    10 to 5,000 (tests/unit/training/evaluation/test_interval_coverage.py has the simulation).
    """
    n = len(nll)
    if n < _FEWEST:
        return None
    mean, error = float(nll.mean()), float(nll.std(ddof=1)) / math.sqrt(n)
    unseen, reach = float(error_cost.mean()) / n, float(t.ppf(0.975, n - 1))
    low = mean * math.exp(-reach * error / mean) if mean > 0 else 0.0
    return Estimate(value=mean, low=low, high=mean + unseen + reach * math.hypot(error, unseen))


def brier_interval(brier: Float64[np.ndarray, " n"]) -> Estimate:
    """The mean of `brier`, each in 0..2, with its 95 % interval."""
    halves = brier / 2  # in 0..1
    half = of_unit_mean(float(halves.mean()), (halves - halves.mean()) / len(halves))
    return Estimate(value=2 * half.value, low=2 * half.low, high=2 * half.high)
