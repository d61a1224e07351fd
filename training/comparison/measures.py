"""The measures of a comparison, each a number for one trained run, and what images do to it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.evidence.unknowns import LeaveOutRound, ScorerResult
from models.manifest import Metric, Scorer
from models.open_set import reference, scores
from training.comparison import influence
from training.comparison.image_variance import Influence
from training.comparison.searched import Rows, SearchedImages
from training.evaluation.answers import Answers
from training.evaluation.collapse import ClassMeans, margins_rad
from training.evaluation.confidence import (
    Outcomes,
    calibration_error,
    equal_mass,
    equal_width,
    outcomes,
)
from training.evaluation.geometry import fisher_ratio
from training.evaluation.retrieval import query_values
from training.evaluation.selective import augrc, augrc_influence, aurc, rank
from training.evaluation.unknowns import K, LeaveOutAnswers, accepting

_FAR = 1e-3


@dataclass(frozen=True)
class RunOutputs(SearchedImages):
    """The answers of one run about the images it was trained on and the test images."""

    metric: Metric
    train: Answers
    test: Answers

    @cached_property
    def outcomes(self) -> Outcomes:
        """Confidence and correctness of the test images."""
        return outcomes(self.test)

    @cached_property
    def by_confidence(self) -> Rows:
        """The test images' rows by rising confidence, as in `outcomes`."""
        confidence = np.minimum(self.test.probabilities.astype(np.float64).max(axis=1), 1)
        return np.argsort(confidence, kind="stable")


def run_values(said: RunOutputs) -> dict[str, float]:
    """Every measure of a run that knows all classes, by name; undefined ones are left out."""
    answered = said.outcomes
    found = query_values(said.test.embeddings[said.rows], said.labels, said.metric).mean(axis=0)
    threshold = said.pairs.threshold(_FAR)
    ratio = fisher_ratio(said.test)
    strict = {} if threshold is None else {"tar_at_far_1e-3": said.pairs.tar(threshold)}
    operating = said.operating
    ranking = rank(answered.confidence, answered.right == 0)
    return {
        "accuracy": float(answered.right.mean()),
        "map_at_r": float(found[-1]),
        "recall_at_1": float(found[0]),
        "eer": said.pairs.equal_error()[0],
        **strict,
        **({} if operating is None else {"opis": operating.accepted().opis}),
        "ece": calibration_error(answered.confidence, answered.right, equal_width),
        "adaptive_ece": calibration_error(answered.confidence, answered.right, equal_mass),
        "nll": float(answered.nll.mean()),
        "aurc": aurc(ranking),
        "augrc": augrc(ranking),
        "angular_margin": float(np.nanmean(margins_rad(said.train, said.test))),
        **({} if ratio is None else {"fisher_ratio": ratio}),
    }


def run_influences(said: RunOutputs) -> dict[str, Influence]:
    """By how much each test image moves each of `run_values`."""
    answered, order = said.outcomes, said.by_confidence
    paired = influence.of_pairs(said.points, said.labels, said.metric, said.pairs, _FAR)
    embeddings = said.test.embeddings[said.rows]
    found_of = influence.of_retrieval(embeddings, said.labels, said.metric)
    placed = {**found_of, "eer": paired["eer"]}
    if "tar_at_far" in paired:
        placed["tar_at_far_1e-3"] = paired["tar_at_far"]
    if said.operating is not None:
        placed["opis"] = said.operating.influence()
    test = said.test
    found = {
        "accuracy": influence.of_mean((test.predicted == test.labels).astype(np.float64)),
        **{name: influence.spread(moves, said.rows, len(test)) for name, moves in placed.items()},
        **influence.of_calibration(answered, order),
        "nll": influence.of_mean(answered.nll, order),
        "aurc": influence.of_aurc(1 - answered.right, order),
        "augrc": influence.placed(augrc_influence(answered.confidence, 1 - answered.right), order),
        "angular_margin": influence.of_mean(margins_rad(said.train, test)),
    }
    if fisher_ratio(test) is not None:
        points = test.embeddings.astype(np.float64)
        found["fisher_ratio"] = influence.of_fisher_ratio(points, test.labels, ClassMeans(test))
    return found


def round_values(scored: LeaveOutRound) -> dict[str, float]:
    """The measures of a run that was trained without some classes; none where undefined."""
    if not scored.scorers:
        return {}
    best = max(scored.scorers, key=_selection)
    return {"unknown_auroc": best.auroc.value, "unknown_fpr95": best.fpr95}


def round_influences(
    scored: LeaveOutRound, left_out: LeaveOutAnswers, metric: Metric, ids: tuple[str, ...]
) -> dict[str, Influence]:
    """By how much each of the test images `ids`, known or not, moves each of `round_values`."""
    if not scored.scorers:
        return {}
    best: Scorer = max(scored.scorers, key=_selection).scorer
    gallery = left_out.gallery
    compared = reference(best, K, metric, gallery.embeddings, gallery.labels)
    known, unknown = (
        scores(best, one.embeddings, one.probabilities, compared)
        for one in (left_out.known, left_out.unknown)
    )
    places = {name: row for row, name in enumerate(ids)}
    rows = np.array([places[name] for name in (*left_out.known.ids, *left_out.unknown.ids)])
    moves = influence.of_unknowns(
        known.astype(np.float64), unknown.astype(np.float64), accepting(known)
    )
    return {
        name: influence.spread(each, rows, len(ids))
        for name, each in zip(("unknown_auroc", "unknown_fpr95"), moves, strict=True)
    }


def _selection(result: ScorerResult) -> float:
    return -np.inf if result.selection_auroc is None else result.selection_auroc
