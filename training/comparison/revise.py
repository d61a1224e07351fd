"""The statistics of a published comparison, worked out anew from its measurements."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from models.comparison import ComparisonReport, Runs
from models.comparison_protocol import Measure, Searched, Tuned
from training.comparison.assembly import MeasureColumn, assemble
from training.comparison.catalog import GOALS, MEASURES
from training.comparison.convergence import MeasuredLength
from training.comparison.image_variance import BoundedVariance, ImageEffect
from training.comparison.statistics import BySeed
from training.losses.base import Range
from training.tuning.space import at_edge

_UNKNOWN_SHARE = 1 / 5  # of the test images were of left-out classes while no outcome was kept
_PAIRED = 4  # (2 images in each pair)^2
_SHARES: Mapping[str, float] = {
    "accuracy": 1.0,
    "recall_at_1": 1.0,
    "map_at_r": 1.0,
    "unknown_auroc": 1 / _UNKNOWN_SHARE,
    "eer": _PAIRED,
}
"""Measures in 0..1 of which no image has more than so much: m(1 - m) / n times this bounds them."""

_CALIBRATION = ("ece", "adaptive_ece")
_OF_ROUNDS = "unknown_"  # how the measures of runs that leave classes out begin

_FIRST_RANGES: Mapping[str, Range] = {  # where version 1 of this file was searched (58d8097)
    "learning_rate": Range(5e-4, 5e-3, log=True),
    "weight_decay": Range(2e-2, 1.0, log=True),
    "weight": Range(1e-4, 1e-1, log=True),
}
_FIRST_OWN: Mapping[tuple[str, str], Range] = {
    ("cosface", "scale"): Range(8.0, 32.0, log=True),
    ("arcface", "scale"): Range(8.0, 32.0, log=True),
    ("cosface", "margin"): Range(0.1, 0.35),
    ("arcface", "margin"): Range(0.2, 0.5),
    ("triplet", "margin"): Range(0.05, 0.3),
}


def revised(report: ComparisonReport) -> ComparisonReport:
    """The same measurements with intervals, tests, power and verdicts as they are made today.

    No image's outcome is in the file, so that the test images' part is an upper bound where one
    exists (see `BoundedVariance`), and otherwise not included; each measure says which.
    """
    known = {one.name: one for one in MEASURES}
    table = [_column(report, known.get(one.name, one)) for one in report.measures]
    found = assemble(table, report.protocol.goals or GOALS)
    protocol = report.protocol.model_copy(
        update={
            "goals": report.protocol.goals or GOALS,
            "tuning_images": report.dataset.tuning,
        }
    )
    return report.model_copy(
        update={
            "protocol": protocol,
            "tuning": tuple(_flagged(one) for one in report.tuning),
            "measures": found.measures,
            "results": found.results,
            "differences": found.differences,
            "power": found.power,
            "verdicts": found.verdicts,
            "revised": datetime.now(UTC),
        }
    )


def _column(report: ComparisonReport, measure: Measure) -> MeasureColumn:
    by_loss = _by_loss(report, measure.name)
    bounds = _bounds(report, measure.name, by_loss)
    return MeasureColumn(measure, by_loss, bounds, _training(report, measure.name))


def _training(report: ComparisonReport, name: str) -> MeasuredLength:
    runs: Runs = "unknowns" if name.startswith(_OF_ROUNDS) else "final"
    protocol = report.protocol
    return MeasuredLength(
        protocol.unknown_epochs if runs == "unknowns" else protocol.epochs,
        tuple(one for one in report.convergence if one.runs == runs),
    )


def _by_loss(report: ComparisonReport, name: str) -> dict[str, BySeed]:
    rows = {row.loss: np.array(row.by_seed) for row in report.results if row.measure == name}
    return {loss: rows[loss] for loss in report.losses}


def _bounds(
    report: ComparisonReport, name: str, by_loss: Mapping[str, BySeed]
) -> ImageEffect | None:
    n = report.dataset.test
    if name in _SHARES:
        return BoundedVariance(
            {loss: _SHARES[name] * _bound(one, n) for loss, one in by_loss.items()}, n
        )
    if name in _CALIBRATION:
        right = _by_loss(report, "accuracy")
        return BoundedVariance({loss: _bound(one, n) for loss, one in right.items()}, n)
    return None


def _bound(values: BySeed, n: int) -> float:
    """Of the variance of the mean over n images of values in 0..1 with this mean."""
    mean = (n * float(values.mean()) + 1) / (n + 2)
    return mean * (1 - mean) / n


def _flagged(tuned: Tuned) -> Tuned:
    if tuned.searched:
        return tuned
    space = {
        name: _FIRST_OWN.get((tuned.loss, name), _FIRST_RANGES.get(name)) for name in tuned.chosen
    }
    ranges = {name: one for name, one in space.items() if one is not None}
    return tuned.model_copy(
        update={
            "searched": {
                name: Searched(low=one.low, high=one.high, logarithmic=one.log)
                for name, one in ranges.items()
            },
            "at_edge": at_edge({name: tuned.chosen[name] for name in ranges}, ranges),
            "drawn": len(tuned.trials),  # the sampler would have begun after ten
        }
    )
