"""Measures of runs that never saw some classes, on images of other data sets; and what moves them.

The scorer is chosen by training images of the left-out classes, so that no far set has a say in it.
Each measure is the mean over the far sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from models.evidence.unknowns import LeaveOutRound, ScorerResult
from models.manifest import Metric
from training.comparison import influence
from training.comparison.image_variance import moved
from training.evaluation.unknowns import FittedScorer, LeaveOutAnswers, accepting

ACCEPTED = "unknown_accepted"
FAR_AUROC = "unknown_far_auroc"
FAR_FPR95 = "unknown_far_fpr95"
FAR_ACCEPTED = "unknown_far_accepted"

Moves = tuple[float, ...]
_Known = Float64[np.ndarray, " k"]
_Far = Float64[np.ndarray, " u"]
_OfAnySet = Float64[np.ndarray, "_"]


def selection(result: ScorerResult) -> float:
    """Return the measures that scorers are chosen by, the highest first."""
    return -np.inf if result.selection_auroc is None else result.selection_auroc


def far_values(scored: LeaveOutRound) -> dict[str, float]:
    """The measures by name; none where undefined."""
    near = max(scored.scorers, key=selection, default=None)
    far = [max(one.scorers, key=selection) for one in scored.far if one.scorers]
    found = {} if near is None or near.accepted is None else {ACCEPTED: near.accepted}
    if not far:
        return found
    found[FAR_AUROC] = float(np.mean([one.auroc.value for one in far]))
    found[FAR_FPR95] = float(np.mean([one.fpr95 for one in far]))
    accepted = [one.accepted for one in far if one.accepted is not None]
    return found | ({FAR_ACCEPTED: float(np.mean(accepted))} if len(accepted) == len(far) else {})


@dataclass(frozen=True)
class _FarInfluence:
    """By how much known test images and one far set's images move its measures."""

    auroc: tuple[_Known, _Far]
    fpr95: tuple[_Known, _Far]
    accepted: _Far | None


def far_moves(
    scored: LeaveOutRound, left_out: LeaveOutAnswers, metric: Metric, ids: Sequence[str]
) -> dict[str, Moves]:
    """Measure the shift of each measure by resamples of the test images `ids` and of each far set.

    Every far set is resampled by itself.
    """
    if not scored.scorers:
        return {}
    judge = FittedScorer.of(max(scored.scorers, key=selection).scorer, left_out, metric)
    places = {name: row for row, name in enumerate(ids)}
    n, known = len(ids), np.array([places[name] for name in left_out.known.ids])
    found: dict[str, Moves] = {}
    if judge.threshold is not None:
        unknown = np.array([places[name] for name in left_out.unknown.ids])
        accepts = judge.scores(left_out.unknown) <= judge.threshold
        found[ACCEPTED] = moved(
            influence.spread(influence.of_mean(accepts.astype(float)), unknown, n)
        )
    sets = [_moved(judge, judge.scores(one.answers).astype(np.float64)) for one in left_out.far]
    if not sets:
        return found
    for name, pairs in (
        (FAR_AUROC, [one.auroc for one in sets]),
        (FAR_FPR95, [one.fpr95 for one in sets]),
    ):
        of_known = np.mean([own for own, _ in pairs], axis=0)
        found[name] = _added(moved(influence.spread(of_known, known, n)), [far for _, far in pairs])
    accepted = [one.accepted for one in sets if one.accepted is not None]
    return found | ({FAR_ACCEPTED: _added(None, accepted)} if accepted else {})


def _moved(judge: FittedScorer, far: _Far) -> _FarInfluence:
    known = judge.known.astype(np.float64)
    ranked, passed = influence.of_unknowns(known, far, accepting(judge.known))
    cut = len(known)
    accepted = None
    if judge.threshold is not None:
        accepted = influence.of_mean((far <= judge.threshold).astype(np.float64))
    return _FarInfluence((ranked[:cut], ranked[cut:]), (passed[:cut], passed[cut:]), accepted)


def _added(own: Moves | None, sets: Sequence[_OfAnySet]) -> Moves:
    """The moves by the test images and the mean of those by each far set."""
    others = [moved(one, stream) for stream, one in enumerate(sets, start=1)]
    sums = np.mean(others, axis=0) + (0.0 if own is None else np.array(own))
    return tuple(float(one) for one in sums)
