"""Leave-classes-out: how well left-out classes are noticed, and the rule that is served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Float32
from scipy.stats import rankdata, t

from models.evidence.estimate import Estimate
from models.evidence.unknowns import (
    FarSet,
    LeaveOutRound,
    ScorerMean,
    ScorerResult,
    UnknownsSection,
)
from models.manifest import Metric, Scorer, UnknownRule
from models.open_set import DistanceReference, is_unknown, reference, scores
from training.evaluation.answers import Answers
from training.evaluation.intervals import of_variance

ACCEPTS = 0.95
K = 10
_LEAST_DISTANCE = float(np.finfo(np.float32).eps)
_SCORERS: tuple[Scorer, ...] = get_args(Scorer)
_DEFAULT: Scorer = "max_probability"
_SIGNED: Scorer = "relative_mahalanobis"

Known = Float32[np.ndarray, " k"]
Unknown = Float32[np.ndarray, " u"]


@dataclass(frozen=True)
class FarAnswers:
    """The answers of a model about another data set's images, of classes it cannot know."""

    name: str
    sha256: str
    answers: Answers


@dataclass(frozen=True)
class LeaveOutAnswers:
    """The answers of a model that was trained without some classes.

    `gallery`, `calibration` and `known` hold training, calibration and test images of the classes
    that it was trained on; `unknown` test images of the others. `unknown_train` holds training
    images of the others, which choose the scorer; None where the scorer is not chosen.
    Labels of unknown images number the classes of the whole data set, and tell only among
    themselves which show the same; no scorer reads them.
    `far` are other data sets, which choose nothing.
    """

    names: tuple[str, ...]
    gallery: Answers
    calibration: Answers
    known: Answers
    unknown: Answers
    unknown_train: Answers | None = None
    far: tuple[FarAnswers, ...] = ()


@dataclass(frozen=True)
class FittedScorer:
    """One scorer, fitted to a model that was trained without some classes, and what it knows."""

    scorer: Scorer
    compared: DistanceReference
    known: Known
    threshold: float | None
    """The least score that accepts 95 % of the calibration images; None without any."""
    selection_auroc: float | None

    @classmethod
    def of(cls, scorer: Scorer, left_out: LeaveOutAnswers, metric: Metric) -> "FittedScorer":
        """Fit it to the gallery, and score the images that choose it and those that are known."""
        gallery, calibration = left_out.gallery, left_out.calibration
        compared = reference(scorer, K, metric, gallery.embeddings, gallery.labels)
        known, chooser = (_by(scorer, compared, one) for one in (left_out.known, calibration))
        selection = None
        if left_out.unknown_train and len(calibration):
            selection = auroc(chooser, _by(scorer, compared, left_out.unknown_train)).value
        threshold = accepting(chooser) if len(chooser) else None
        return cls(scorer, compared, known, threshold, selection)

    def scores(self, unknown: Answers) -> Unknown:
        """Of images that are not of a known class."""
        return _by(self.scorer, self.compared, unknown)

    def result(self, unknown: Answers) -> ScorerResult:
        """Measure how well these unknown images are separated from the known test images."""
        found = self.scores(unknown)
        accepted = None if self.threshold is None else float((found <= self.threshold).mean())
        return ScorerResult(
            scorer=self.scorer,
            auroc=auroc(self.known, found),
            fpr95=fpr95(self.known, found),
            selection_auroc=self.selection_auroc,
            accepted=accepted,
        )


def score_round(left_out: LeaveOutAnswers, metric: Metric) -> LeaveOutRound:
    """Measure each scorer on the left-out classes; see `LeaveOutRound`."""
    empty = len(left_out.known) == 0 or len(left_out.unknown) == 0
    scorers = () if empty else possible_scorers(left_out.gallery)
    judges = [FittedScorer.of(scorer, left_out, metric) for scorer in scorers]
    return LeaveOutRound(
        left_out=left_out.names,
        known=len(left_out.known),
        unknown=len(left_out.unknown),
        scorers=tuple(judge.result(left_out.unknown) for judge in judges),
        far=() if empty else tuple(_far(judges, one) for one in left_out.far),
    )


def unknowns(
    rounds: tuple[LeaveOutRound, ...],
    metric: Metric,
    gallery: Answers,
    calibration: Answers,
    test: Answers,
) -> UnknownsSection:
    """The rounds' means, and the rule of the served model, whose answers these are.

    The rule's scorer has the highest mean AUROC of calibration images against the left-out
    classes' training images, so no test image chooses it; the first of equals, and
    `max_probability` without such rounds. Needs a calibration image.
    """
    means = _means(rounds)
    usable = {
        row.scorer: row.selection_auroc for row in means if row.scorer in possible_scorers(gallery)
    }
    chosen = {scorer: value for scorer, value in usable.items() if value is not None}
    scorer = max(chosen, key=lambda name: chosen[name]) if chosen else _DEFAULT
    rule = fit_rule(scorer, metric, calibration, gallery)
    unknown = is_unknown(rule, _scored(rule.scorer, test, gallery, metric))
    return UnknownsSection(
        rounds=rounds,
        means=means,
        rule=rule,
        chosen_by="selection_auroc" if chosen else "default",
        test_accepted=float((~unknown).mean()) if len(test) else None,
    )


def fit_rule(scorer: Scorer, metric: Metric, calibration: Answers, gallery: Answers) -> UnknownRule:
    """The rule that accepts 95 % of the calibration images; it needs one at least.

    The threshold is never 0, except of a scorer that may be negative: n images that were certain,
    or met an image of the gallery, do not make every other image unknown.
    `gallery` holds the images that ship with the model.
    """
    known = _scored(scorer, calibration, gallery, metric)
    least = -np.inf if scorer == _SIGNED else _least_threshold(scorer, known)
    return UnknownRule(
        scorer=scorer,
        threshold=max(accepting(known), least),
        k=min(K, len(gallery)) if scorer == "knn_distance" else None,
        accepts=ACCEPTS,
    )


def accepting(known: Known) -> float:
    """The least of the scores below or at which 95 % of them lie."""
    return float(np.quantile(known.astype(np.float64), ACCEPTS, method="inverted_cdf"))


def _least_threshold(scorer: Scorer, known: Known) -> float:
    """A doubt of 1 in n + 2 (the rule of succession), or the least distance that was seen."""
    if scorer == "max_probability":
        return 1 / (len(known) + 2)
    return float(min(known[known > 0], default=_LEAST_DISTANCE))


def fpr95(known: Known, unknown: Unknown) -> float:
    """Share of unknown images that are accepted where at least 95 % of the known ones are."""
    return float((unknown <= accepting(known)).mean())


def auroc(known: Known, unknown: Unknown) -> Estimate:
    """P(unknown > known) + P(unknown = known) / 2, with a 95 % interval.

    The variance is that of DeLong, DeLong and Clarke-Pearson 1988, by ranks as Sun and Xu 2014;
    the ends are Wilson's, so that kinds which never overlap are not separated beyond doubt. Needs
    a score of either kind; the interval is 0..1 for fewer than 2.
    """
    ranks = rankdata(np.concatenate([unknown, known]))
    above = (ranks[: len(unknown)] - rankdata(unknown)) / len(known)
    below = 1 - (ranks[len(unknown) :] - rankdata(known)) / len(unknown)
    value = float(above.mean())
    if min(len(known), len(unknown)) < 2:
        return Estimate(value=value, low=0.0, high=1.0)
    variance = above.var(ddof=1) / len(unknown) + below.var(ddof=1) / len(known)
    fewer = min(len(known), len(unknown))
    return of_variance(value, float(variance), fewer, float(t.ppf(0.975, fewer - 1)))


def _far(judges: Sequence[FittedScorer], far: FarAnswers) -> FarSet:
    return FarSet(
        name=far.name,
        sha256=far.sha256,
        unknown=len(far.answers),
        scorers=tuple(judge.result(far.answers) for judge in judges),
    )


def _scored(
    scorer: Scorer, answers: Answers, gallery: Answers, metric: Metric
) -> Float32[np.ndarray, " n"]:
    compared = reference(scorer, K, metric, gallery.embeddings, gallery.labels)
    return _by(scorer, compared, answers)


def _by(scorer: Scorer, compared: DistanceReference, answers: Answers) -> Float32[np.ndarray, " n"]:
    return scores(scorer, answers.embeddings, answers.probabilities, compared)


def possible_scorers(gallery: Answers) -> tuple[Scorer, ...]:
    """Distances need a gallery."""
    return _SCORERS if len(gallery) else (_DEFAULT,)


def _means(rounds: tuple[LeaveOutRound, ...]) -> tuple[ScorerMean, ...]:
    rows = [[row for each in rounds for row in each.scorers if row.scorer == s] for s in _SCORERS]
    return tuple(_mean(row) for row in rows if row)


def _mean(results: list[ScorerResult]) -> ScorerMean:
    chosen = [row.selection_auroc for row in results if row.selection_auroc is not None]
    return ScorerMean(
        scorer=results[0].scorer,
        auroc=float(np.mean([row.auroc.value for row in results])),
        fpr95=float(np.mean([row.fpr95 for row in results])),
        selection_auroc=float(np.mean(chosen)) if len(chosen) == len(results) else None,
    )
