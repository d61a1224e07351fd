"""Measures of a run on test images that were changed, each change at one strength.

All are means over the changes, of the same stratified sample for every run: accuracy, ECE, and how
many images are still answered at the confidence that leaves 5 % of the errors of unchanged
calibration images, with the share of wrong answers among them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from training.comparison import influence
from training.comparison.image_variance import Influence, ResampledMeasures, moved
from training.data.sampling import stratified
from training.evaluation.answers import Answers
from training.evaluation.confidence import calibration_error, equal_width, outcomes
from training.evaluation.corruptions import CHANGES
from training.evaluation.robustness import Ask, changed
from training.evaluation.selective import rank

IMAGES = 2_000
ERROR = 0.05
STRENGTHS: Mapping[str, float] = {
    "gaussian-noise": 8.0,
    "chroma-noise": 16.0,
    "blur": 1.0,
    "brightness": 64.0,
    "contrast": 0.5,
    "gray": 1.0,
    "jpeg": 25.0,
    "scale": 0.75,
    "rotation": 30.0,
}
ACCURACY = "corrupted_accuracy"
ECE = "corrupted_ece"
COVERAGE = "corrupted_coverage"
ANSWERED_ERROR = "corrupted_error"

Images = UInt8[np.ndarray, "n h w 3"]


def corrupted_measures(
    ask: Ask, images: Images, labels: Int64[np.ndarray, " n"], calibration: Answers
) -> ResampledMeasures:
    """The measures by name, and how far resamples of the test images move them."""
    rows = np.sort(stratified(labels, IMAGES, seed=0))
    shown, truth = images[rows], labels[rows]
    every = [
        _answers(ask, changed(change, STRENGTHS[change.name], shown), truth) for change in CHANGES
    ]
    threshold = least_confidence(calibration)
    values, moves = _accuracy(every)
    parts = [_ece(every), _answered(every, threshold)]
    for more_values, more_moves in parts:
        values |= more_values
        moves |= more_moves
    placed = {name: influence.spread(one, rows, len(labels)) for name, one in moves.items()}
    return ResampledMeasures(values, {name: moved(one) for name, one in placed.items()})


def least_confidence(calibration: Answers) -> float | None:
    """The least confidence at or above which at most 5 % of answers are wrong; None for none."""
    ranking = rank(_confidence(calibration), calibration.predicted != calibration.labels)
    good = np.flatnonzero(ranking.errors <= ERROR * ranking.accepted)
    return float(ranking.thresholds[good[-1]]) if len(good) else None


def _accuracy(every: Sequence[Answers]) -> tuple[dict[str, float], dict[str, Influence]]:
    right = np.mean([one.predicted == one.labels for one in every], axis=0)
    return {ACCURACY: float(right.mean())}, {ACCURACY: influence.of_mean(right)}


def _ece(every: Sequence[Answers]) -> tuple[dict[str, float], dict[str, Influence]]:
    errors, moves = [], []
    for one in every:
        judged = outcomes(one)
        errors.append(calibration_error(judged.confidence, judged.right, equal_width))
        order = np.argsort(_confidence(one), kind="stable")
        moves.append(influence.of_calibration(judged, order)["ece"])
    return {ECE: float(np.mean(errors))}, {ECE: np.mean(moves, axis=0)}


def _answered(
    every: Sequence[Answers], threshold: float | None
) -> tuple[dict[str, float], dict[str, Influence]]:
    least = np.inf if threshold is None else threshold
    answered = np.mean([_confidence(one) >= least for one in every], axis=0)
    values = {COVERAGE: float(answered.mean())}
    moves = {COVERAGE: influence.of_mean(answered)}
    if answered.any():
        wrong = np.mean(
            [(_confidence(one) >= least) & (one.predicted != one.labels) for one in every], axis=0
        )
        error = float(wrong.sum() / answered.sum())
        values[ANSWERED_ERROR] = error
        moves[ANSWERED_ERROR] = (wrong - error * answered) / answered.sum()
    return values, moves


def _answers(ask: Ask, images: Images, labels: Int64[np.ndarray, " n"]) -> Answers:
    embeddings, probabilities = ask(images)
    return Answers(embeddings, probabilities, labels, ("",) * len(labels))


def _confidence(answers: Answers) -> Float64[np.ndarray, " n"]:
    confidence: Float64[np.ndarray, " n"] = np.minimum(
        answers.probabilities.astype(np.float64).max(axis=1), 1
    )
    return confidence
