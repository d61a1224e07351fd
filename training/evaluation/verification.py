"""Are two images of one class? Equal error rate, and accepted pairs at a false accept rate."""

import math

import numpy as np
from jaxtyping import Float64

from models.evidence.estimate import Estimate
from models.evidence.retrieval import AcceptRate, RocPoint, VerificationSection
from models.manifest import Metric
from training.data.sampling import INTERVAL, stratified
from training.evaluation.answers import Answers
from training.evaluation.collapse import unit_rows
from training.evaluation.consistency import ThresholdErrors
from training.evaluation.intervals import proportion
from training.evaluation.pair_scores import SAMPLED_PAIRS, PairSample, Scores, pair_scores

IMAGES = 10_000
RESAMPLES = 300
_FARS = (1e-2, 1e-3)
_DECADES, _PER_DECADE = 4, 10


def verification(
    test: Answers, metric: Metric, seed: int = 0, limit: int = IMAGES
) -> VerificationSection:
    """Every pair of (at most `limit`) test images, accepted or not by its score.

    Its definitions are in `VerificationSection`. All 50 million pairs of 10,000 images take
    seconds on one core, and 0.4 GB.
    """
    rows = stratified(test.labels, limit, seed)
    points, labels = test.embeddings[rows].astype(np.float64), test.labels[rows]
    points = unit_rows(points) if metric == "cosine" else points
    scores = pair_scores(points, labels, metric)
    section = VerificationSection(
        metric=metric,
        score="cosine" if metric == "cosine" else "negative_distance",
        images=len(rows),
        genuine_pairs=len(scores.genuine),
        impostor_pairs=len(scores.impostor),
        eer=None,
        eer_threshold=None,
        tar_at_far=(),
        roc=(),
        interval_pairs=SAMPLED_PAIRS,
        resamples=RESAMPLES,
        seed=seed,
    )
    if not len(scores.genuine) or not len(scores.impostor):
        return section
    sample = PairSample(points, labels, metric, seed)
    operating = ThresholdErrors.of(points, labels, metric, scores)
    return section.model_copy(
        update={
            **_rates(scores, sample, len(rows)),
            "opis": None if operating is None else operating.estimate(),
        }
    )


def _rates(scores: Scores, sample: PairSample, images: int) -> dict[str, object]:
    thresholds = {far: scores.threshold(far) for far in _FARS}
    resolved = {far: value for far, value in thresholds.items() if value is not None}
    eer, *tars = _estimates(scores, sample, tuple(resolved), images)
    return {
        "eer": eer,
        "eer_threshold": scores.equal_error()[1],
        "tar_at_far": tuple(
            AcceptRate(far=far, tar=tar, threshold=threshold)
            for (far, threshold), tar in zip(resolved.items(), tars, strict=True)
        ),
        "roc": _roc(scores),
    }


def _estimates(
    scores: Scores, sample: PairSample, fars: tuple[float, ...], images: int
) -> list[Estimate]:
    """The EER and the TAR at each FAR; the sample's spread is put around the values."""
    values, own = _values(scores, fars), _values(sample.scores, fars)
    resamples = (sample.resampled() for _ in range(RESAMPLES))
    spread = np.array([_values(again, fars) for again in resamples if again is not None])
    if len(spread) == 0:
        return [Estimate(value=value, low=0.0, high=1.0) for value in values]
    low, high = np.clip(values + np.nanpercentile(spread, INTERVAL, axis=0) - own, 0, 1)
    return [
        _opened(Estimate(value=float(value), low=float(lowest), high=float(highest)), images)
        for value, lowest, highest in zip(values, low, high, strict=True)
    ]


def _opened(found: Estimate, images: int) -> Estimate:
    """No resample errs where no pair does: then the interval is that of disjoint pairs."""
    if 0 < found.value < 1:
        return found
    disjoint = max(1, images // 2)
    least = proportion(round(found.value) * disjoint, disjoint)
    return Estimate(
        value=found.value, low=min(found.low, least.low), high=max(found.high, least.high)
    )


def _values(scores: Scores, fars: tuple[float, ...]) -> Float64[np.ndarray, " m"]:
    return np.array([scores.equal_error()[0], *(_tar(scores, far) for far in fars)])


def _tar(scores: Scores, far: float) -> float:
    threshold = scores.threshold(far)
    return math.nan if threshold is None else scores.tar(threshold)


def _roc(scores: Scores) -> tuple[RocPoint, ...]:
    steps = range(-_DECADES * _PER_DECADE, 1)
    points = [(far, _tar(scores, far)) for far in (10 ** (step / _PER_DECADE) for step in steps)]
    return tuple(RocPoint(far=far, tar=tar) for far, tar in points if not math.isnan(tar))
