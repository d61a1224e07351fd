"""Leave-one-out: each labeled item is named by the others, and the rest is fitted to that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from models.evidence.estimate import Estimate
from models.logistic import fit_logistic, sigmoid
from models.manifest import Metric
from models.shares import wilson
from service.collections.items import Labeled
from service.collections.labels.vote import NOBODY, LabelVotes, VoteConfidence, VoteRule

FEWEST_ITEMS = 20  # of each label, below which nothing is fitted
MOST_ITEMS = 10_000  # that are evaluated
FALSE_UNKNOWN = 0.05
_KS, _SHARPNESS = (1, 3, 5, 10, 20), (0.0, 1.0, 4.0)
_DEFAULT_K = 5
_FOLDS, _BINS = 5, 15
_BLOCK_ITEMS = 2**22
_RIDGE = 1e-3
_COPY = 1e-6  # of a score: nearer items are copies

Labels = Int64[np.ndarray, " n"]
Column = Float64[np.ndarray, " n"]


@dataclass(frozen=True)
class PerLabel:
    """One label's items, each named by all others."""

    label: str
    items: int
    right: Estimate
    called_unknown: float | None
    taken_for: str | None  # the other label that most of its items are given


@dataclass(frozen=True)
class VoteCalibration:
    """The match of probabilities and outcomes, on items outside of the fit."""

    ece: float
    nll: float
    mean_probability: float
    folds: int


@dataclass(frozen=True)
class LabelUnknownRule:
    """An image is unknown where the score of its nearest item is below the threshold."""

    threshold: float
    false_unknown: float  # the share that was asked for
    known_called_unknown: Estimate
    strangers_called_unknown: Estimate  # items whose whole label was left out


@dataclass(frozen=True)
class Evaluation:
    """The quality of labels named by neighbors, and what was fitted to it."""

    sequence: int
    total: int  # labeled items
    unlabeled: int
    names: tuple[str, ...]
    items: int  # that were evaluated
    copies: int
    confidence: VoteConfidence
    accuracy: Estimate
    majority: float
    calibration: VoteCalibration | None
    nearest: Column  # of each item, ascending: its nearest other item's score
    strangers: Column  # of each item, its nearest item of another label, in the same order
    stranger_labels: Labels
    per_label: tuple[PerLabel, ...]
    warnings: tuple[str, ...]

    @property
    def fitted(self) -> bool:
        """Return whether the collection's own labels were enough to fit to."""
        return self.calibration is not None

    def unknown_rule(self, false_unknown: float = FALSE_UNKNOWN) -> LabelUnknownRule | None:
        """The threshold below which at most that share of known items lies; None unfitted."""
        if not self.fitted:
            return None
        ascending = np.sort(self.nearest)
        allowed = min(int(false_unknown * len(ascending) + 1e-9), len(ascending) - 1)
        threshold = float(ascending[allowed])
        below = float((self.nearest < threshold).mean())
        return LabelUnknownRule(
            threshold,
            false_unknown,
            wilson(below, len(ascending)),
            _by_label(self.strangers < threshold, self.stranger_labels),
        )


def evaluate(found: Labeled, metric: Metric) -> Evaluation:
    """Name each item by the others. Needs two labels; fits where each has 20 items or more."""
    neighbors, strangers = _neighbors(found, metric)
    counts = np.bincount(found.labels, minlength=len(found.names))
    warnings = _warnings(found, counts)
    enough = int(counts.min()) >= FEWEST_ITEMS
    rule = _chosen(neighbors, found) if enough else _default(neighbors)
    votes = rule.votes(*neighbors)
    right = votes.label == found.labels
    confidence, calibration = VoteConfidence(rule, len(found.names)), None
    if enough:
        confidence, calibration = _calibrated(confidence, votes, right, found.labels)
    copies = int((neighbors[0][:, 0] >= _copy_score(metric)).sum())
    if copies:
        warnings = (
            *warnings,
            f"{copies:,} items have a copy among the others, which makes leave-one-out too hopeful",
        )
    evaluation = Evaluation(
        sequence=found.sequence,
        total=found.total,
        unlabeled=found.unlabeled,
        names=found.names,
        items=len(found.labels),
        copies=copies,
        confidence=confidence,
        accuracy=wilson(float(right.mean()), len(right)),
        majority=float(counts.max() / counts.sum()),
        calibration=calibration,
        nearest=votes.nearest,
        strangers=strangers,
        stranger_labels=found.labels,
        per_label=(),
        warnings=warnings,
    )
    unknown = evaluation.unknown_rule()
    called = None if unknown is None else votes.nearest < unknown.threshold
    rows = _per_label(found, votes, right, called)
    return Evaluation(**{**vars(evaluation), "per_label": rows})


def _warnings(found: Labeled, counts: Labels) -> tuple[str, ...]:
    said = []
    few = [name for name, n in zip(found.names, counts.tolist(), strict=True) if n < FEWEST_ITEMS]
    if few:
        shown = ", ".join(map(repr, few[:5])) + (" and others" if len(few) > 5 else "")
        said.append(
            f"fewer than {FEWEST_ITEMS} items have label {shown}: nothing was fitted, "
            "probabilities are shares of the vote, and nothing is called unknown"
        )
    if len(found.labels) < found.total:
        said.append(f"evaluated on a sample of {len(found.labels):,} of {found.total:,} items")
    return tuple(said)


def _copy_score(metric: Metric) -> float:
    return 1 - _COPY if metric == "cosine" else -_COPY


def _neighbors(
    found: Labeled, metric: Metric
) -> tuple[tuple[Float64[np.ndarray, "n k"], Int64[np.ndarray, "n k"]], Column]:
    """Scores and labels of each item's nearest others, and its nearest of another label."""
    points, n = found.vectors.astype(np.float32), len(found.labels)
    k, size = min(max(_KS), n - 1), max(1, _BLOCK_ITEMS // n)
    squares = np.square(points, dtype=np.float64).sum(axis=1)
    scores, labels, strangers = np.empty((n, k)), np.empty((n, k), np.int64), np.empty(n)
    for start in range(0, n, size):
        rows = np.arange(start, min(start + size, n))
        given = (points[rows] @ points.T).astype(np.float64)
        if metric == "l2":
            given = np.minimum(2 * given - squares[rows, None] - squares, 0)
        given[rows - start, rows] = -np.inf
        nearest = np.argpartition(given, n - k, axis=1)[:, n - k :]
        order = np.argsort(-np.take_along_axis(given, nearest, axis=1), axis=1, kind="stable")
        nearest = np.take_along_axis(nearest, order, axis=1)
        scores[rows] = np.take_along_axis(given, nearest, axis=1)
        labels[rows] = found.labels[nearest]
        given[found.labels[rows, None] == found.labels] = -np.inf
        strangers[rows] = given.max(axis=1)
    return (scores, labels), strangers


def _scale(scores: Float64[np.ndarray, "n k"]) -> float:
    return float(max(np.median(scores[:, 0] - scores[:, -1]), 1e-6))


def _default(neighbors: tuple[Float64[np.ndarray, "n k"], Int64[np.ndarray, "n k"]]) -> VoteRule:
    return VoteRule(min(_DEFAULT_K, neighbors[0].shape[1]), 1 / _scale(neighbors[0]))


def _chosen(
    neighbors: tuple[Float64[np.ndarray, "n k"], Int64[np.ndarray, "n k"]], found: Labeled
) -> VoteRule:
    """The rule whose smoothed shares give the true labels the least NLL; of equals the first."""
    scale = _scale(neighbors[0])
    rules = [VoteRule(k, sharp / scale) for k in _KS for sharp in _SHARPNESS]

    def nll(rule: VoteRule) -> float:
        votes = rule.votes(*neighbors)
        own = neighbors[1][:, : rule.k] == found.labels[:, None]
        share = np.where(own, votes.shares, 0).max(axis=1)
        return float(-np.log(rule.smoothed(share, len(found.names))).mean())

    return min(rules, key=nll)


def _calibrated(
    confidence: VoteConfidence, votes: LabelVotes, right: Bool[np.ndarray, " n"], labels: Labels
) -> tuple[VoteConfidence, VoteCalibration]:
    """Fit right and wrong to share and score; judge on folds outside of the fit."""
    features = confidence.features(votes)
    order = np.argsort(labels, kind="stable")
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % _FOLDS
    given = np.empty(len(labels))
    for one in range(_FOLDS):
        fitted = _fit(features[fold != one], right[fold != one])
        given[fold == one] = sigmoid(features[fold == one] @ fitted[:2] + fitted[2])
    slopes = _fit(features, right)
    whole = VoteConfidence(
        confidence.rule, confidence.labels, (float(slopes[0]), float(slopes[1]), float(slopes[2]))
    )
    bins = np.minimum((given * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, right - given, _BINS)
    nll = -np.where(right, np.log(given), np.log1p(-given)).mean()
    found = VoteCalibration(
        float(np.abs(gaps).sum() / len(given)), float(nll), float(given.mean()), _FOLDS
    )
    return whole, found


def _fit(
    features: Float64[np.ndarray, "m 2"], right: Bool[np.ndarray, " m"]
) -> Float64[np.ndarray, " 3"]:
    """Platt's soft targets, so that no number of items makes anything certain."""
    hits = int(right.sum())
    targets = np.where(right, (hits + 1) / (hits + 2), 1 / (len(right) - hits + 2))
    return fit_logistic(features, targets, np.full(len(right), 1 / len(right)), _RIDGE)


def _by_label(called: Bool[np.ndarray, " n"], labels: Labels) -> Estimate:
    """A share of items that hang together by label: its variance is that over labels."""
    sizes = np.bincount(labels)
    hits = np.bincount(labels, called)
    sizes, hits = sizes[sizes > 0], hits[np.bincount(labels) > 0]
    share, n = float(called.mean()), len(sizes)
    variance = float(np.square(hits - share * sizes).sum()) * n / max(1, n - 1) / sizes.sum() ** 2
    effective = share * (1 - share) / variance if variance > 0 and 0 < share < 1 else float(n)
    return wilson(share, max(1.0, effective))


def _per_label(
    found: Labeled,
    votes: LabelVotes,
    right: Bool[np.ndarray, " n"],
    called: Bool[np.ndarray, " n"] | None,
) -> tuple[PerLabel, ...]:
    rows: Sequence[PerLabel] = [
        PerLabel(
            label=name,
            items=int(own.sum()),
            right=wilson(float(right[own].mean()), int(own.sum())),
            called_unknown=None if called is None else float(called[own].mean()),
            taken_for=_most(votes.label[own & ~right], found.names),
        )
        for index, name in enumerate(found.names)
        for own in (found.labels == index,)
    ]
    return tuple(rows)


def _most(labels: Labels, names: tuple[str, ...]) -> str | None:
    labels = labels[labels != NOBODY]
    return names[int(np.bincount(labels).argmax())] if len(labels) else None
