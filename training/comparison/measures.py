"""The headline metrics of a comparison, each a number for one trained run."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.comparison import Measure
from models.evidence.unknowns import LeaveOutRound, ScorerResult
from models.manifest import Metric
from training.evaluate.answers import Answers
from training.evaluate.collapse import margins_rad, unit_rows
from training.evaluate.confidence import calibration_error, equal_mass, equal_width, outcomes
from training.evaluate.geometry import fisher_ratio
from training.evaluate.pair_scores import pair_scores
from training.evaluate.retrieval import query_values
from training.evaluate.sampling import stratified
from training.evaluate.selective import aurc, rank

_FAR = 1e-3
_IMAGES = 10_000  # searched and paired, as in a single report


@dataclass(frozen=True)
class Said:
    """What one run says of the images it was trained on and of the test images."""

    metric: Metric
    train: Answers
    test: Answers


MEASURES = (
    Measure(
        name="accuracy",
        title="Accuracy",
        goal="classify",
        higher_is_better=True,
        percent=True,
        description="share of test images given the right class by the loss's own head",
    ),
    Measure(
        name="map_at_r",
        title="MAP@R",
        goal="retrieve",
        higher_is_better=True,
        percent=True,
        description="mean average precision at R, each test image a query against the others",
    ),
    Measure(
        name="recall_at_1",
        title="Recall@1",
        goal=None,
        higher_is_better=True,
        percent=True,
        description="share of test images whose nearest other test image is of their class",
    ),
    Measure(
        name="eer",
        title="Equal error rate",
        goal="verify",
        higher_is_better=False,
        percent=True,
        description="over every pair of test images: same class or not, by the score of the pair",
    ),
    Measure(
        name="tar_at_far_1e-3",
        title="TAR at FAR 0.001",
        goal=None,
        higher_is_better=True,
        percent=True,
        description="share of same-class pairs accepted where 0.1 % of the others are",
    ),
    Measure(
        name="unknown_auroc",
        title="Unknowns: AUROC",
        goal="reject unknowns",
        higher_is_better=True,
        percent=True,
        description="chance that an image of a class left out of training scores as more unknown "
        "than one of a known class; the best of three scorers, chosen on training images",
    ),
    Measure(
        name="unknown_fpr95",
        title="Unknowns: FPR95",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="share of images of left-out classes accepted where 95 % of known ones are; "
        "the same scorer",
    ),
    Measure(
        name="ece",
        title="ECE, calibrated",
        goal="be calibrated",
        higher_is_better=False,
        percent=True,
        description="expected calibration error over 15 equal-width bins, after the temperature",
    ),
    Measure(
        name="adaptive_ece",
        title="Adaptive ECE, calibrated",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="the same over 15 bins of equally many images",
    ),
    Measure(
        name="nll",
        title="NLL, calibrated",
        goal=None,
        higher_is_better=False,
        percent=False,
        description="mean negative log-likelihood of the true class, in nats",
    ),
    Measure(
        name="aurc",
        title="AURC",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="mean error over all coverages, refusing the least confident first",
    ),
    Measure(
        name="fisher_ratio",
        title="Fisher ratio",
        goal=None,
        higher_is_better=True,
        percent=False,
        description="scatter between classes over scatter within them, of test embeddings",
    ),
    Measure(
        name="angular_margin",
        title="Angular margin",
        goal=None,
        higher_is_better=True,
        percent=False,
        description="mean angle to the nearest other class mean less that to the own, in radians",
    ),
)


def run_values(said: Said) -> dict[str, float]:
    """Every measure of a run that knows all classes, by name; undefined ones are left out."""
    told = outcomes(said.test)
    return {
        "accuracy": float(told.right.mean()),
        **_distances(said),
        "ece": calibration_error(told.confidence, told.right, equal_width),
        "adaptive_ece": calibration_error(told.confidence, told.right, equal_mass),
        "nll": float(told.nll.mean()),
        "aurc": aurc(rank(told.confidence, told.right == 0)),
        **_geometry(said),
    }


def round_values(scored: LeaveOutRound) -> dict[str, float]:
    """The measures of a run that was trained without some classes; none where undefined."""
    if not scored.scorers:
        return {}
    best = max(scored.scorers, key=_selection)
    return {"unknown_auroc": best.auroc.value, "unknown_fpr95": best.fpr95}


def _selection(result: ScorerResult) -> float:
    return -np.inf if result.selection_auroc is None else result.selection_auroc


def _distances(said: Said) -> Mapping[str, float]:
    rows = stratified(said.test.labels, _IMAGES, seed=0)
    embeddings, labels = said.test.embeddings[rows], said.test.labels[rows]
    found = query_values(embeddings, labels, said.metric).mean(axis=0)
    points = embeddings.astype(np.float64)
    scores = pair_scores(
        unit_rows(points) if said.metric == "cosine" else points, labels, said.metric
    )
    threshold = scores.threshold(_FAR)
    return {
        "map_at_r": float(found[-1]),
        "recall_at_1": float(found[0]),
        "eer": scores.equal_error()[0],
    } | ({} if threshold is None else {"tar_at_far_1e-3": scores.tar(threshold)})


def _geometry(said: Said) -> dict[str, float]:
    ratio = fisher_ratio(said.test)
    margins = margins_rad(said.train, said.test)
    values = {"angular_margin": float(np.nanmean(margins))}
    return values if ratio is None else values | {"fisher_ratio": ratio}
