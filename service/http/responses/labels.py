"""Answers about the labels of a collection; the same models document them in OpenAPI."""

from typing import Any

from pydantic import Field

from models.evidence.estimate import Estimate
from models.manifest import Metric, Precision
from service.collections.labels.evaluation import Evaluation, LabelUnknownRule
from service.http.responses.schemas import ClassScore, Schema


class Supporter(Schema):
    """An item among the nearest that has the label; a higher score is nearer."""

    id: str
    score: float
    thumbnail: str | None = Field(description="address of a small JPEG, where there is one")


class NamedLabel(ClassScore):
    """The label of one image, by the nearest items of the collection."""

    probability: float = Field(
        description="that the label is right, fitted to the collection's own items where `fitted`, "
        "else the share of the vote"
    )
    unknown: bool | None = Field(
        description="whether the nearest item is farther than known items are from each other; "
        "null where nothing was fitted, so that nothing says how well it would be noticed"
    )
    nearest: float = Field(description="score of the nearest labeled item")
    top: list[ClassScore] = Field(description="labels among the nearest, likeliest first")
    items: list[Supporter] = Field(description="the items that speak for the label, nearest first")


class CollectionClassifyResponse(Schema):
    """One label for each image, in order."""

    loss: str
    version: int
    precision: Precision = Field(description="of the collection's vectors")
    collection: str
    sequence: int = Field(description="of the collection when its evaluation was made")
    fitted: bool = Field(description="whether every label has 20 items or more to fit to")
    k: int = Field(description="the nearest labeled items that vote")
    warnings: list[str]
    predictions: list[NamedLabel]


class LabelCalibration(Schema):
    """The match of probabilities and outcomes, on items outside of the fit."""

    ece: float = Field(description="expected calibration error, 15 equal-width bins, 0..1")
    nll: float = Field(description="mean negative log-likelihood of right and wrong, in nats")
    mean_probability: float
    folds: int


class UnknownThreshold(Schema):
    """An image is unknown where the score of its nearest item is below the threshold."""

    threshold: float
    false_unknown: float = Field(description="the share that was asked for")
    known_called_unknown: Estimate = Field(
        description="share of items that the threshold calls unknown, each left out once"
    )
    strangers_called_unknown: Estimate = Field(
        description="share of items that it calls unknown where their whole label is left out; "
        "interval over labels"
    )


class LabelResult(Schema):
    """The items of one label, each named by all others."""

    label: str
    items: int
    right: Estimate
    called_unknown: float | None = Field(description="null where nothing was fitted")
    taken_for: str | None = Field(description="the other label that most of them are given")


class CollectionEvaluation(Schema):
    """The labels of a collection named by neighbors, each item left out once."""

    collection: str
    sequence: int = Field(description="of the collection that was evaluated")
    metric: Metric
    labeled: int
    unlabeled: int
    evaluated: int = Field(description="items compared: all labeled up to 10,000, else a sample")
    copies: int = Field(description="items with an equal one among the others")
    labels: int
    fitted: bool = Field(description="whether every label has 20 items or more to fit to")
    k: int = Field(description="the nearest items that vote; chosen by leave-one-out where fitted")
    sharpness: float = Field(
        description="a vote weighs exp(sharpness * (its score - the nearest score)); 0: all alike"
    )
    accuracy: Estimate = Field(
        description="share of items named right by the others; Wilson's 95 % interval"
    )
    majority: float = Field(description="share of the most frequent label: what has to be beaten")
    calibration: LabelCalibration | None
    unknown: UnknownThreshold | None
    per_label: list[LabelResult]
    warnings: list[str]


def show_evaluation(
    name: str, metric: Metric, found: Evaluation, rule: LabelUnknownRule | None
) -> CollectionEvaluation:
    """Describe an evaluation."""
    calibration = found.calibration
    return CollectionEvaluation(
        collection=name,
        sequence=found.sequence,
        metric=metric,
        labeled=found.total,
        unlabeled=found.unlabeled,
        evaluated=found.items,
        copies=found.copies,
        labels=len(found.names),
        fitted=found.fitted,
        k=found.confidence.rule.k,
        sharpness=found.confidence.rule.sharpness,
        accuracy=found.accuracy,
        majority=found.majority,
        calibration=None if calibration is None else LabelCalibration(**vars(calibration)),
        unknown=None if rule is None else UnknownThreshold(**vars(rule)),
        per_label=[LabelResult(**vars(one)) for one in found.per_label],
        warnings=list(found.warnings),
    )


def shown_shares(shares: dict[str, float], label: str, probability: float) -> list[dict[str, Any]]:
    """Labels with probabilities that sum to 1; the others keep their proportions."""
    rest = sum(share for name, share in shares.items() if name != label)
    scale = (1 - probability) / rest if rest > 0 else 0.0
    others = sorted(
        ((name, share * scale) for name, share in shares.items() if name != label),
        key=lambda one: -one[1],
    )
    return [
        {"label": name, "probability": value} for name, value in [(label, probability), *others]
    ]
