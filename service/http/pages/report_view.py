"""Computations of the report pages: headlines, differences of protocol, curves."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.evidence.selective import threshold_for
from models.evidence.unknowns import ScorerMean, UnknownsSection
from models.manifest import Manifest
from models.report import Epoch, Figure, Report
from service.http.pages.trust import bounding_split, threshold_sentence
from service.http.responses.schemas import LossSummary, ThresholdAnswer

SECTIONS: Mapping[str, str] = {
    "classification": "Classification",
    "confidence": "Confidence",
    "robustness": "Robustness",
    "precision": "Precision",
    "leaks": "Leaks",
    "unknowns": "Unknowns",
    "geometry": "Geometry",
    "retrieval": "Retrieval and verification",
    "pairs": "Same or not",
    "transfer": "Transfer",
    "feature-space": "Feature space",
    "cost": "Cost",
    "training": "Training",
    "provenance": "Provenance",
}
_OF_THE_LOSS = ("loss", "parameters")
_SECTION_OF: Mapping[str, str] = {  # the figures that training draws
    "confusion-matrix": "classification",
    "most-confused": "classification",
    "reliability": "confidence",
    "risk-coverage": "confidence",
    "robustness": "robustness",
    "unknowns": "unknowns",
    "distances": "geometry",
    "verification": "retrieval",
    "feature-space": "feature-space",
    "plane": "feature-space",
    "learning-curve": "training",
}
_ELSEWHERE = "training"


@dataclass(frozen=True)
class ChartLine:
    """One line of a chart: SVG points in a box of 0..100 by 0..100, and the values' range."""

    points: str
    low: float
    high: float
    last: float


def summarize(report: Report, manifest: Manifest) -> LossSummary:
    """The headline of a report."""
    mean = rule_mean(report.unknowns)
    return LossSummary(
        name=manifest.name,
        version=manifest.version,
        loss=report.loss,
        test_images=report.classification.n,
        accuracy=report.classification.accuracy,
        majority=report.classification.majority,
        macro_f1=report.classification.macro_f1,
        nll=report.confidence.after.nll,
        ece=report.confidence.after.ece,
        adaptive_ece=report.confidence.after.adaptive_ece,
        aurc=report.confidence.selective.aurc,
        unknown_auroc=None if mean is None else mean.auroc,
        recall_at_1=report.retrieval.recall_at_1,
        map_at_r=report.retrieval.map_at_r,
        eer=report.verification.eer,
        temperature=report.confidence.calibration.temperature,
        backbone=manifest.backbone,
        dimension=manifest.dimension,
        parameters=manifest.parameters,
        model_bytes=report.cost.model_bytes,
        training_seconds=report.provenance.training_seconds,
        dataset_sha256=report.provenance.dataset.sha256,
        recipe=report.provenance.recipe,
        report=f"/report/{manifest.name}",
    )


def rule_mean(unknowns: UnknownsSection) -> ScorerMean | None:
    """Average the served rule's scorer over the rounds; None where there were none."""
    found = (mean for mean in unknowns.means if mean.scorer == unknowns.rule.scorer)
    return next(found, None)


def answer_threshold(report: Report, manifest: Manifest, max_error: float) -> ThresholdAnswer:
    """The threshold that holds the share of wrong answers at `max_error` (0..1)."""
    confidence = report.confidence
    split = bounding_split(confidence.calibration)
    found = threshold_for(confidence.selective, max_error, split)
    return ThresholdAnswer(
        loss=manifest.name,
        version=manifest.version,
        max_error=max_error,
        choice=None if found is None else found.choice,
        bound=None if found is None else found.bound,
        bound_from=split,
        sentence=threshold_sentence(confidence, max_error, found),
    )


def figures_by_section(figures: Sequence[Figure]) -> Mapping[str, list[Figure]]:
    """The figures that each section shows; those with other names come with the training."""
    found: defaultdict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        found[_SECTION_OF.get(figure.name, _ELSEWHERE)].append(figure)
    return {name: found[name] for name in SECTIONS}


def differences(losses: list[LossSummary]) -> list[str]:
    """List the differences of the models besides the loss and its own parameters, sorted."""
    protocols = [_protocol(one) for one in losses]
    names = {name for protocol in protocols for name in protocol}
    return sorted(
        name for name in names if any(one.get(name) != protocols[0].get(name) for one in protocols)
    )


def disagreements(losses: Sequence[LossSummary]) -> list[str]:
    """List the cases where two measures of one thing rank models differently, a sentence each."""
    retrieval = {
        one.name: (one.recall_at_1.value, one.map_at_r.value)
        for one in losses
        if one.recall_at_1 is not None and one.map_at_r is not None
    }
    calibration = {one.name: (-one.ece.value, -one.nll) for one in losses}
    pairs = (("Recall@1", "MAP@R", retrieval), ("ECE", "NLL", calibration))
    return [
        f"The measures disagree: {first} has the best {one} here, {second} the best {other}."
        for one, other, values in pairs
        for first, second in [(_best(values, 0), _best(values, 1))]
        if first != second
    ]


def _best(values: Mapping[str, tuple[float, float]], place: int) -> str | None:
    return max(values, key=lambda name: values[name][place], default=None)


def _protocol(one: LossSummary) -> dict[str, object]:
    stated = {name: value for name, value in one.recipe.items() if name not in _OF_THE_LOSS}
    return stated | {
        "backbone": one.backbone,
        "embedding_size": one.dimension,
        "images": one.dataset_sha256,
    }


def accuracy_line(curve: tuple[Epoch, ...]) -> ChartLine:
    """Accuracy on the tuning split by epoch."""
    return _line([epoch.tuning_accuracy for epoch in curve])


def loss_line(curve: tuple[Epoch, ...]) -> ChartLine:
    """Training loss by epoch."""
    return _line([epoch.loss for epoch in curve])


def _line(values: list[float]) -> ChartLine:
    low, high = min(values), max(values)
    step = 100 / max(1, len(values) - 1)
    span = (high - low) or 1.0
    points = " ".join(
        f"{i * step:.2f},{100 - 100 * (value - low) / span:.2f}" for i, value in enumerate(values)
    )
    return ChartLine(points, low, high, values[-1])
