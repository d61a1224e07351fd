"""Bounds of an error rate that hold with 95 % over the draw of the images, by counts alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
_LEVEL = 1 - CONFIDENCE
_MOST_STARTS = 10
_ALLOWED = 5  # errors that full coverage would allow, for each start


@dataclass(frozen=True)
class AcceptedCounts:
    """The images of one split that a threshold accepts, and the wrong answers among them."""

    n: int
    errors: int


@dataclass(frozen=True)
class HeldThreshold:
    """The threshold, by its place in the sequence, whose error is held, and its bound."""

    row: int
    bound: float


def hold_error(sequence: Sequence[AcceptedCounts], max_error: float) -> HeldThreshold | None:
    """The last of `sequence` whose true error rate is at most `max_error`, with 95 % confidence.

    `sequence` is in order of rising n, as thresholds fall. The hypotheses "the error rate is above
    `max_error`" are tested in that order by the exact binomial test, with the level of 5 % shared
    out over up to ten starts and handed on from each rejected hypothesis to the next: Learn Then
    Test (Angelopoulos et al., arXiv 2110.01052, section 4) with the fallback procedure (Wiens
    2003), so in 95 of 100 draws of the images no threshold is accepted wrongly, however many are
    looked at. The starts depend on n and `max_error` alone, never on errors. The bound is Clopper
    and Pearson's at the level of the threshold's own test. None where nothing can be held.
    """
    if max_error >= 1 and sequence:
        return HeldThreshold(len(sequence) - 1, upper_bound(sequence[-1]))
    weights, level, found = _weights(sequence, max_error), 0.0, (-1, 0.0)
    for row, (one, weight) in enumerate(zip(sequence, weights, strict=True)):
        level += weight
        if level > 0 and binomial_tail(one, max_error) <= level:
            found = (row, level)
        else:
            level = 0.0
    row, level = found
    return HeldThreshold(row, upper_bound(sequence[row], level)) if row >= 0 else None


def fewest_without_error(max_error: float) -> int | None:
    """The images that hold an error of at most `max_error` if none is wrong; None for 0."""
    if max_error >= 1:
        return 1
    return math.ceil(math.log(_LEVEL) / math.log1p(-max_error)) if max_error > 0 else None


def binomial_tail(counts: AcceptedCounts, rate: float) -> float:
    """P(at most `errors` of n images are wrong) where each is with probability `rate`."""
    if rate <= 0 or counts.errors >= counts.n:
        return 1.0
    k = np.arange(counts.errors)
    steps = np.log((counts.n - k) / (k + 1)) + math.log(rate) - math.log1p(-rate)
    logs = np.cumsum(np.append(counts.n * math.log1p(-rate), steps))
    highest = float(logs.max())
    return min(1.0, math.exp(highest) * float(np.exp(logs - highest).sum()))


def upper_bound(counts: AcceptedCounts, level: float = _LEVEL) -> float:
    """Clopper and Pearson's one-sided upper bound of the error rate, at confidence 1 - level."""
    if counts.errors >= counts.n:
        return 1.0
    low, high = counts.errors / counts.n, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if binomial_tail(counts, middle) <= level else (middle, high)
    return high


def _weights(sequence: Sequence[AcceptedCounts], max_error: float) -> list[float]:
    """The level that each hypothesis has of its own; they sum to 5 %."""
    weights = [0.0] * len(sequence)
    if not sequence or max_error <= 0:
        return weights
    starts = max(1, min(_MOST_STARTS, int(sequence[-1].n * max_error / _ALLOWED)))
    able = [
        row
        for row, one in enumerate(sequence)
        if binomial_tail(AcceptedCounts(one.n, 0), max_error) <= _LEVEL / starts
    ]
    for start in range(starts if able else 0):
        weights[able[start * len(able) // starts]] += _LEVEL / starts
    return weights
