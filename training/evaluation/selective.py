"""Risk-coverage curves: the images that a confidence threshold accepts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.stats import rankdata
from statsmodels.stats.proportion import proportion_confint

from models.evidence.estimate import Estimate
from models.evidence.selective import Accepted, Choice, RiskCoverage, Statement
from training.evaluation.answers import Answers
from training.evaluation.intervals import of_influence, of_unit_mean

_GRID = np.arange(1, 201) / 200
_STATED = (0.80, 0.90, 0.95, 0.99)
_SIDES: tuple[Literal["right"], Literal["left"]] = ("right", "left")
_SLACK = 1e-9  # a coverage of 0.95 is reached by 19 of 20 images, however it rounds


@dataclass(frozen=True)
class Ranking:
    """The thresholds that split n images, falling, with the images and errors each accepts.

    One threshold for each distinct confidence: images of equal confidence stay together.
    """

    thresholds: Float64[np.ndarray, " t"]
    accepted: Int64[np.ndarray, " t"]
    errors: Int64[np.ndarray, " t"]

    @property
    def n(self) -> int:
        """All images; the lowest threshold accepts them."""
        return int(self.accepted[-1])

    def reaching(self, coverage: float) -> float:
        """The highest threshold that accepts at least this share of the images."""
        row = np.searchsorted(self.accepted, (coverage - _SLACK) * self.n)
        return float(self.thresholds[row])

    def at(self, thresholds: Sequence[float]) -> tuple[Accepted, ...]:
        """Return the accepted share at each threshold; they need not be among `thresholds`."""
        rows = np.searchsorted(-self.thresholds, -np.array(thresholds), side="right")
        accepted, errors = (np.append(0, counts)[rows] for counts in (self.accepted, self.errors))
        return tuple(
            Accepted(
                threshold=threshold,
                n=n,
                errors=wrong,
                coverage=n / self.n,
                error=wrong / n if n else None,
                upper=upper,
            )
            for threshold, n, wrong, upper in zip(
                thresholds,
                accepted.tolist(),
                errors.tolist(),
                upper_bounds(errors, accepted).tolist(),
                strict=True,
            )
        )

    def curve(self) -> tuple[float, ...]:
        """The thresholds of coverages 1/200 .. 1, each once, falling."""
        found = {self.reaching(coverage) for coverage in _GRID.tolist()}
        return tuple(sorted(found, reverse=True))


def rank(confidence: Float64[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> Ranking:
    """Images in falling order of confidence, cut wherever it falls."""
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    lasts = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return Ranking(
        thresholds=ordered[lasts],
        accepted=lasts + 1,
        errors=np.cumsum(wrong[order])[lasts],
    )


def upper_bounds(
    errors: Int64[np.ndarray, " t"], n: Int64[np.ndarray, " t"]
) -> Float64[np.ndarray, " t"]:
    """One-sided 95 % Clopper-Pearson bounds, 1 where n is 0.

    Each is half of what a two-sided 90 % interval leaves out.
    """
    high = proportion_confint(errors, np.maximum(n, 1), alpha=0.10, method="beta")[1]
    bounds: Float64[np.ndarray, " t"] = np.where(n > 0, high, 1.0)
    return bounds


def aurc(ranking: Ranking) -> float:
    """Mean over k of the error among the k most confident; ties count in no order."""
    most = np.arange(1, ranking.n + 1)
    cuts, errors = (np.append(0, counts) for counts in (ranking.accepted, ranking.errors))
    return float((np.interp(most, cuts, errors) / most).mean())


def least_aurc(ranking: Ranking) -> float:
    """The area if every error were less confident than every right answer."""
    most = np.arange(1, ranking.n + 1)
    right = ranking.n - ranking.errors[-1]
    return float((np.maximum(most - right, 0) / most).mean())


def augrc(ranking: Ranking) -> float:
    """Mean over all coverages of the share of all images that are accepted and wrong.

    Source: Traub et al. 2024, Overcoming Common Flaws in the Evaluation of Selective
    Classification Systems (NeurIPS, arXiv 2407.01032). Ties count in no order.
    """
    coverage, errors = (
        np.append(0, counts) / ranking.n for counts in (ranking.accepted, ranking.errors)
    )
    return float(np.trapezoid(errors, coverage))


def augrc_influence(
    confidence: Float64[np.ndarray, " n"], wrong: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """By how much each image moves the AUGRC, to first order; the sum is 0.

    The area is a mean over pairs of images: an error counts against every image that is less sure,
    and for half against one as sure.
    """
    n = len(wrong)
    less_sure = (rankdata(confidence) - 0.5) / n
    errors = np.sort(confidence[wrong > 0])
    surer, as_sure = (len(errors) - np.searchsorted(errors, confidence, side) for side in _SIDES)
    moved = wrong * less_sure + (surer + as_sure) / 2 / n
    centered: Float64[np.ndarray, " n"] = (moved - moved.mean()) / n
    return centered


def aurc_influence(wrong: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """By how much each image moves the AURC, to first order; by rising confidence, without ties."""
    falling = wrong[::-1]
    ranks = np.arange(1, len(falling) + 1)
    risks = np.cumsum(falling) / ranks
    from_rank = np.cumsum((1 / ranks)[::-1])[::-1]
    risk_from_rank = np.cumsum((risks / ranks)[::-1])[::-1]
    moved = (risks + falling * from_rank - risk_from_rank)[::-1]
    centered: Float64[np.ndarray, " n"] = (moved - moved.mean()) / len(moved)
    return centered


def aurc_interval(
    confidence: Float64[np.ndarray, " n"], wrong: Float64[np.ndarray, " n"]
) -> Estimate:
    """The AURC with its 95 % interval over images."""
    rising = wrong[np.argsort(confidence, kind="stable")]
    return of_unit_mean(aurc(rank(confidence, wrong > 0)), aurc_influence(rising))


def least_augrc(ranking: Ranking) -> float:
    """The area if every error were less confident than every right answer."""
    return float((ranking.errors[-1] / ranking.n) ** 2 / 2)


def risk_coverage(test: Answers, calibration: Answers) -> RiskCoverage:
    """The test set's curve, and the calibration split's thresholds with what they do there."""
    ranking, chooser = _ranked(test), _ranked(calibration)
    area, general = aurc(ranking), augrc(ranking)
    confidence = _confidence(test)
    wrong = (test.predicted != test.labels).astype(np.float64)
    thresholds = chooser.curve()
    pairs = zip(chooser.at(thresholds), ranking.at(thresholds), strict=True)
    return RiskCoverage(
        aurc=area,
        aurc_interval=aurc_interval(confidence, wrong),
        excess_aurc=area - least_aurc(ranking),
        augrc=of_influence(general, augrc_influence(confidence, wrong)),
        excess_augrc=general - least_augrc(ranking),
        curve=ranking.at(ranking.curve()),
        statements=_statements(ranking),
        choices=tuple(Choice(calibration=there, test=here) for there, here in pairs),
    )


def _statements(ranking: Ranking) -> tuple[Statement, ...]:
    rows = ranking.at([ranking.reaching(coverage) for coverage in _STATED])
    return tuple(
        Statement(**row.model_dump(), target_coverage=coverage)
        for row, coverage in zip(rows, _STATED, strict=True)
    )


def _ranked(answers: Answers) -> Ranking:
    return rank(_confidence(answers), answers.predicted != answers.labels)


def _confidence(answers: Answers) -> Float64[np.ndarray, " n"]:
    # A float32 softmax may say a little more than 1; a threshold of 1 accepts that too.
    confidence: Float64[np.ndarray, " n"] = np.minimum(
        answers.probabilities.max(axis=1).astype(np.float64), 1
    )
    return confidence
