"""The section on pairs: a map and thresholds from the calibration split, judged on other images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from models.evidence.estimate import Estimate
from models.evidence.pairs import HeldOut, Method, PairMap, PairRates, PairsJudged, PairsSection
from models.manifest import Metric
from models.pairs import probability
from training.data.sampling import INTERVAL, stratified
from training.evaluation.answers import Answers
from training.evaluation.collapse import unit_rows
from training.evaluation.pair_map import METHODS, Binned, fit_map
from training.evaluation.pair_scores import PairSample
from training.evaluation.pair_table import PairTable, sorted_scores

IMAGES = 5_000  # judged at most
OTHERS = 2_000  # of another data set
_FIT_IMAGES = 5_000
_BINS = 512  # half by quantiles of either kind
_PARTITIONS = 3
_ECE_BINS, _RESAMPLES = 15, 100
_FARS = tuple(step * 10**-decade for decade in range(5, 0, -1) for step in (1, 1.5, 2, 3, 5, 7))
_FRRS = tuple(step * 10**-decade for decade in range(3, 0, -1) for step in (1, 1.5, 2, 3, 5, 7))
_FEWEST_ACCEPTED = 10  # impostor pairs; fewer say little of a threshold
_FEWEST_IMAGES = 8
_SLACK = 1e-9

Points = Float64[np.ndarray, "n d"]
Labels = Int64[np.ndarray, " n"]
Values = Float64[np.ndarray, " _"]  # of any length


@dataclass(frozen=True)
class Others:
    """The answers of a model about another data set, whose classes it was not trained on."""

    name: str
    sha256: str
    answers: Answers


def pairs_section(
    calibration: Answers, test: Answers, metric: Metric, others: Sequence[Others] = ()
) -> PairsSection | None:
    """Fit on pairs of the calibration split; judge on pairs of test images and of other sets.

    None where a split lacks pairs of either kind, or the calibration split has fewer than 8 images.
    """
    fitted = fit_pairs(calibration, metric)
    if fitted is None:
        return None
    judged = judge(fitted, "test", test, limit=IMAGES)
    if judged is None:
        return None
    found = [judge(fitted, one.name, one.answers, one.sha256, trained=False) for one in others]
    genuine, impostor = fitted.table.pairs
    return PairsSection(
        metric=metric,
        score="cosine" if metric == "cosine" else "negative_squared_distance",
        images=len(fitted.table.genuine),
        genuine_pairs=genuine,
        impostor_pairs=impostor,
        split_prior=genuine / (genuine + impostor),
        method=fitted.held_out[0].method,
        held_out=fitted.held_out,
        map=fitted.map,
        rates=fitted.table.rates(fitted.thresholds),
        test=judged,
        others=tuple(one for one in found if one is not None),
    )


@dataclass(frozen=True)
class FittedPairs:
    """A map and thresholds, with the pairs that they come from."""

    metric: Metric
    table: PairTable
    centers: Values
    thresholds: Values
    map: PairMap
    held_out: tuple[HeldOut, ...]  # the best first

    @property
    def method(self) -> Method:
        """The kind of map."""
        return self.held_out[0].method


def fit_pairs(calibration: Answers, metric: Metric) -> FittedPairs | None:
    """The map with the least held-out NLL, and thresholds at round rates of either error.

    None without pairs of either kind, in each half too, or with fewer than 8 images.
    """
    points, labels = _points(calibration, metric, _FIT_IMAGES)
    genuine, impostor = sorted_scores(points, labels, metric)
    if len(points) < _FEWEST_IMAGES or not len(genuine) or not len(impostor):
        return None
    thresholds = _thresholds(genuine, impostor)
    edges, centers = _bins(genuine, impostor, thresholds)
    table = PairTable.of(points, labels, metric, edges)
    most = math.log(2 * len(points))
    held_out = _held_out(points, labels, metric, edges, centers)
    if held_out is None:
        return None
    map_ = fit_map(held_out[0].method, Binned(centers, *table.shares(), most), metric)
    return FittedPairs(metric, table, centers, thresholds, map_, held_out)


def judge(
    fitted: FittedPairs,
    name: str,
    answers: Answers,
    sha256: str | None = None,
    *,
    trained: bool = True,
    limit: int = OTHERS,
) -> PairsJudged | None:
    """The map and the thresholds on images that did not choose them; None without such pairs."""
    points, labels = _points(answers, fitted.metric, limit)
    table = PairTable.of(points, labels, fitted.metric, fitted.table.edges)
    if not table.both_kinds:
        return None
    genuine, impostor = table.pairs
    ece, nll = _quality(fitted, table, points, labels)
    return PairsJudged(
        name=name,
        sha256=sha256,
        trained=trained,
        images=len(points),
        classes=len(np.unique(labels)),
        genuine_pairs=genuine,
        impostor_pairs=impostor,
        ece=ece,
        nll=nll,
        rates=table.rates(fitted.thresholds),
    )


def round_pairs(calibration: Answers, unknown: Answers, metric: Metric) -> PairsJudged | None:
    """Pairs of classes that a model was not trained on, by what its calibration split fits."""
    fitted = fit_pairs(calibration, metric)
    return None if fitted is None else judge(fitted, "left out", unknown, trained=False)


def held(promised: Sequence[PairRates], measured: Sequence[PairRates]) -> list[tuple[bool, bool]]:
    """At each threshold, whether measured FAR and FRR lie in the promised intervals."""
    return [
        (
            one.far.low <= seen.far.value <= one.far.high,
            one.frr.low <= seen.frr.value <= one.frr.high,
        )
        for one, seen in zip(promised, measured, strict=True)
    ]


def _points(answers: Answers, metric: Metric, limit: int) -> tuple[Points, Labels]:
    rows = stratified(answers.labels, limit, seed=0)
    points = answers.embeddings[rows].astype(np.float64)
    return unit_rows(points) if metric == "cosine" else points, answers.labels[rows]


def _thresholds(genuine: Values, impostor: Values) -> Values:
    """Rising scores, each in the middle between two pairs', at round rates and at the ends."""
    found = [genuine[0], min(genuine[0], impostor[0])]
    for far in _FARS:
        allowed = math.floor(far * len(impostor) + _SLACK)
        if _FEWEST_ACCEPTED <= allowed < len(impostor):
            found.append((impostor[-allowed - 1] + impostor[-allowed]) / 2)
    for frr in _FRRS:
        allowed = math.floor(frr * len(genuine) + _SLACK)
        if 1 <= allowed < len(genuine):
            found.append((genuine[allowed - 1] + genuine[allowed]) / 2)
    return np.unique(found)


def _bins(genuine: Values, impostor: Values, thresholds: Values) -> tuple[Values, Values]:
    """Edges that hold the thresholds, and the score that stands for each bin."""
    steps = np.linspace(0, 1, _BINS // 2 + 1)[1:-1]
    quantiles = [np.quantile(kind, steps) for kind in (genuine, impostor)]
    edges = np.unique(np.concatenate([*quantiles, thresholds]))
    low, high = min(genuine[0], impostor[0]), max(genuine[-1], impostor[-1])
    ends = np.concatenate([[min(low, edges[0])], edges, [max(high, edges[-1])]])
    return edges, (ends[:-1] + ends[1:]) / 2


def _held_out(
    points: Points, labels: Labels, metric: Metric, edges: Values, centers: Values
) -> tuple[HeldOut, ...] | None:
    """The kinds of map by their NLL on the half that did not fit them, the least first."""
    losses: dict[Method, list[float]] = {method: [] for method in METHODS}
    for seed in range(_PARTITIONS):
        order = stratified(labels, len(labels), seed)
        order = order[np.argsort(labels[order], kind="stable")]
        one, two = (
            _binned(points[rows], labels[rows], metric, edges, centers)
            for rows in (order[::2], order[1::2])
        )
        if one is None or two is None:
            return None
        for fit, other in ((one, two), (two, one)):
            for method in METHODS:
                losses[method].append(other.nll(fit_map(method, fit, metric)))
    found = [HeldOut(method=method, nll=float(np.mean(losses[method]))) for method in METHODS]
    return tuple(sorted(found, key=lambda one: one.nll))


def _binned(
    points: Points, labels: Labels, metric: Metric, edges: Values, centers: Values
) -> Binned | None:
    table = PairTable.of(points, labels, metric, edges)
    return Binned(centers, *table.shares(), math.log(2 * len(points))) if table.both_kinds else None


def _quality(
    fitted: FittedPairs, table: PairTable, points: Points, labels: Labels
) -> tuple[Estimate, Estimate]:
    """ECE and NLL of all pairs, the spread of a resampled sample around them."""
    given = probability(fitted.map, fitted.centers, 0.5)
    value = _measures(given, *table.shares())
    sample = PairSample(points, labels, fitted.metric, seed=0)
    kinds = [
        (pairs, _places(scores, fitted))
        for pairs, scores in (
            (sample.genuine_pairs, sample.scores.genuine),
            (sample.impostor_pairs, sample.scores.impostor),
        )
    ]
    random, n = np.random.default_rng(0), len(points)

    def drawn(count: Labels) -> Values:
        shares = []
        for (one, other), places in kinds:
            found = np.bincount(places, count[one] * count[other], len(given))
            shares.append(found / max(found.sum(), 1))
        return _measures(given, *shares)

    own = drawn(np.ones(n, np.int64))
    spread = [
        drawn(np.bincount(random.integers(n, size=n), minlength=n)) for _ in range(_RESAMPLES)
    ]
    low, high = np.maximum(value + np.percentile(spread, INTERVAL, axis=0) - own, 0)
    ece, nll = (
        Estimate(value=float(one), low=float(min(one, least)), high=float(max(one, most)))
        for one, least, most in zip(value, low, high, strict=True)
    )
    return ece, nll


def _places(scores: np.ndarray, fitted: FittedPairs) -> Labels:
    """The bin of each score, as PairSample has it."""
    signed = scores.astype(np.float64)
    if fitted.metric == "l2":
        signed = -np.square(signed)
    return np.searchsorted(fitted.table.edges, signed, side="right")


def _measures(given: Values, genuine: Values, impostor: Values) -> Values:
    """ECE over equal-width bins, and NLL, of bins with these shares of either kind."""
    weight = (genuine + impostor) / 2
    bins = np.minimum((given * _ECE_BINS).astype(np.int64), _ECE_BINS - 1)
    gaps = np.bincount(bins, genuine / 2 - weight * given, _ECE_BINS)
    losses = genuine @ -np.log(given) + impostor @ -np.log1p(-given)
    return np.array([np.abs(gaps).sum(), losses / 2])
