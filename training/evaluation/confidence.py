"""Confidence against outcomes: likelihood, Brier score, calibration errors, reliability."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.special import softmax

from models.evidence.confidence import (
    Calibration,
    Confidence,
    ConfidenceQuality,
    ReliabilityBin,
)
from models.evidence.estimate import Estimate
from training.evaluation.answers import Answers
from training.evaluation.intervals import proportion
from training.evaluation.likelihood import brier_interval, nll_interval
from training.evaluation.selective import risk_coverage

BINS = 15
CLIP = float(np.finfo(np.float32).tiny)  # 2^-126
SEED = 0
_RESAMPLES = 1_000
_CELLS = 1 << 22  # probabilities held as float64 at a time

# from confidence in rising order to the upper end of each of 15 bins, (low, high]
Binning = Callable[[Float64[np.ndarray, " n"]], Float64[np.ndarray, " bins"]]


@dataclass(frozen=True)
class Outcomes:
    """The probabilities of n images and their outcomes, by rising confidence."""

    confidence: Float64[np.ndarray, " n"]
    right: Float64[np.ndarray, " n"]
    nll: Float64[np.ndarray, " n"]
    brier: Float64[np.ndarray, " n"]
    error_cost: Float64[np.ndarray, " n"]
    """The NLL that each is expected to have, by its own probabilities, if the class named is wrong.
    """


def confidence_section(
    test: Answers, uncalibrated: Answers, calibration: Answers, fitted: Calibration
) -> Confidence:
    """The test set's confidence before and after `fitted`, which `calibration` was used for.

    `uncalibrated` is of the same images at temperature 1.
    """
    return Confidence(
        n=len(test),
        calibration=fitted,
        before=_quality(outcomes(uncalibrated)),
        tempered=_quality(outcomes(uncalibrated, fitted.temperature)),
        after=_quality(outcomes(test)),
        selective=risk_coverage(test, calibration),
    )


def outcomes(answers: Answers, temperature: float = 1.0) -> Outcomes:
    """Each image's share in the scores, from softmax(log p / temperature) in float64.

    Of p at temperature 1, that is p after temperature scaling; with 1 it is p.
    """
    step = max(1, _CELLS // answers.probabilities.shape[1])
    parts = [
        _scores(answers.probabilities[rows], answers.labels[rows], temperature)
        for rows in (slice(start, start + step) for start in range(0, len(answers), step))
    ]
    confidence, nll, brier, cost = np.concatenate(parts, axis=1)
    right = (answers.predicted == answers.labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    return Outcomes(confidence[order], right[order], nll[order], brier[order], cost[order])


def _scores(
    served: Float32[np.ndarray, "m c"], labels: Int64[np.ndarray, " m"], temperature: float
) -> Float64[np.ndarray, "4 m"]:
    p = served.astype(np.float64)
    if temperature != 1.0:
        p = softmax(np.log(np.maximum(p, CLIP)) / temperature, axis=1)
    true = np.take_along_axis(p, labels[:, None], axis=1)[:, 0]
    brier = (p**2).sum(axis=1) - 2 * true + 1
    # a float32 softmax may say a little more than 1
    confidence, nll = np.minimum(p.max(axis=1), 1), -np.log(np.maximum(true, CLIP))
    return np.stack([confidence, nll, brier, _error_cost(p)])


def _error_cost(p: Float64[np.ndarray, "m c"]) -> Float64[np.ndarray, " m"]:
    others = np.maximum(p, CLIP)
    costs = -np.log(others)
    others[np.arange(len(p)), p.argmax(axis=1)] = 0
    expected: Float64[np.ndarray, " m"] = (others * costs).sum(axis=1) / others.sum(axis=1)
    return expected


def equal_width(confidence: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " bins"]:
    """1/15, 2/15 .. 1."""
    del confidence
    return np.linspace(0, 1, BINS + 1)[1:]


def equal_mass(confidence: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " bins"]:
    """The highest confidence of each of 15 parts of n images whose sizes differ by at most 1."""
    uppers: Float64[np.ndarray, " bins"] = confidence[_parts(len(confidence)) - 1]
    return uppers


def _parts(n: int) -> Int64[np.ndarray, " bins"]:
    """The images in the first part, the first two .. all 15."""
    return np.cumsum(n // BINS + (np.arange(BINS) < n % BINS))


def gaps(
    confidence: Float64[np.ndarray, " n"], right: Float64[np.ndarray, " n"], binning: Binning
) -> Float64[np.ndarray, " bins"]:
    """Each bin's images / n x (accuracy - mean confidence), with confidence in rising order.

    The calibration error is the sum of their absolute values.
    """
    ends = _ends(confidence, binning)
    difference = np.concatenate([[0.0], np.cumsum(right - confidence)])
    each: Float64[np.ndarray, " bins"] = np.diff(difference[ends]) / len(confidence)
    return each


def calibration_error(
    confidence: Float64[np.ndarray, " n"], right: Float64[np.ndarray, " n"], binning: Binning
) -> float:
    """The sum of the gaps' sizes, with confidence in rising order."""
    return float(np.abs(gaps(confidence, right, binning)).sum())


def _ends(
    confidence: Float64[np.ndarray, " n"], binning: Binning
) -> Int64[np.ndarray, " bins_and_1"]:
    """Bin b holds images ends[b] .. ends[b + 1] - 1."""
    uppers = np.searchsorted(confidence, binning(confidence), side="right")
    return np.concatenate([[0], uppers])


def _quality(scored: Outcomes) -> ConfidenceQuality:
    ece, adaptive = calibration_errors(scored)
    brier = float(scored.brier.mean())
    return ConfidenceQuality(
        nll=float(scored.nll.mean()),
        nll_interval=nll_interval(scored.nll, scored.error_cost),
        brier=brier,
        brier_interval=brier_interval(scored.brier),
        ece=ece,
        adaptive_ece=adaptive,
        reliability=reliability(scored),
    )


def calibration_errors(scored: Outcomes) -> tuple[Estimate, Estimate]:
    """ECE and adaptive ECE, each with its 95 % interval."""
    random = np.random.default_rng(SEED)
    ece, adaptive = (_calibration_error(scored, each, random) for each in (equal_width, equal_mass))
    return ece, adaptive


def _calibration_error(scored: Outcomes, binning: Binning, random: np.random.Generator) -> Estimate:
    """Noise only adds to a sum of absolute gaps, so percentiles of resamples lie too high.

    Below, take off what all gaps together may have moved; above, reflect (the basic bootstrap),
    and reach at least what the share that is right leaves open, for no calibration error is less
    than the distance of the mean confidence to it.
    In simulations with 10 to 5,000 images, honest or not, unsure or nearly certain, that held the
    true error in 93 to 100 % of the draws. It is wide on purpose where images are few: where 40
    answers are certain and right, the error may be 9 %.
    """
    found, noise = (
        gaps(scored.confidence, scored.right, binning),
        _noise(scored, binning, random),
    )
    value = float(np.abs(found).sum())
    moved = float(np.quantile(np.abs(noise).sum(axis=1), 0.975))
    least = float(np.quantile(np.abs(found + noise).sum(axis=1), 0.025))
    right = proportion(int(scored.right.sum()), len(scored.right))
    said = float(scored.confidence.mean())
    high = max(value, 2 * value - least, said - right.low, right.high - said)
    return Estimate(value=value, low=max(0.0, value - moved), high=min(1.0, high))


def _noise(
    scored: Outcomes, binning: Binning, random: np.random.Generator
) -> Float64[np.ndarray, "r bins"]:
    """Measure the gaps that chance alone makes, in 1,000 draws of right and wrong in each bin.

    A bin is right as often as it was seen to be, with two imaginary images more: one as often as
    its confidence says, one in half. So a bin without an error is not taken for certain.
    """
    ends = _ends(scored.confidence, binning)
    counts = np.diff(ends)
    right, said = (
        np.diff(np.concatenate([[0.0], np.cumsum(values)])[ends])
        for values in (scored.right, scored.confidence)
    )
    chance = np.clip((right + said / np.maximum(counts, 1) + 0.5) / (counts + 2), 0, 1)
    drawn = random.binomial(counts, chance, (_RESAMPLES, BINS))
    noise: Float64[np.ndarray, "r bins"] = (drawn - counts * chance) / len(scored.right)
    return noise


def reliability(scored: Outcomes) -> tuple[ReliabilityBin, ...]:
    """Accuracy beside confidence in the 15 equal-width bins."""
    ends = _ends(scored.confidence, equal_width)
    uppers = equal_width(scored.confidence)
    return tuple(
        _bin(scored, slice(*ends[row : row + 2]), (row / BINS, float(uppers[row])))
        for row in range(BINS)
    )


def _bin(scored: Outcomes, rows: slice, bounds: tuple[float, float]) -> ReliabilityBin:
    confidence, right = scored.confidence[rows], scored.right[rows]
    low, high = bounds
    if not len(right):
        return ReliabilityBin(low=low, high=high, count=0, mean_confidence=None, accuracy=None)
    return ReliabilityBin(
        low=low,
        high=high,
        count=len(right),
        mean_confidence=float(confidence.mean()),
        accuracy=proportion(int(right.sum()), len(right)),
    )
