"""What the report pages compute from a report: averages, intervals, the worst mistakes."""

from dataclasses import dataclass
from math import sqrt

from models.manifest import Manifest
from models.report import ClassMetrics, Epoch, Report
from service.http.schemas import LossSummary

_OF_THE_LOSS = ("loss", "parameters")
_Z_95 = 1.959964  # standard normal quantile of a two-sided 95 % interval


@dataclass(frozen=True)
class Mistake:
    """Test images of one class that were taken for another."""

    actual: str
    predicted: str
    count: int


@dataclass(frozen=True)
class Line:
    """One line of a chart: SVG points in a box of 0..100 by 0..100, and the values' range."""

    points: str
    low: float
    high: float
    last: float


def summarize(report: Report, manifest: Manifest) -> LossSummary:
    """The headline of a report."""
    return LossSummary(
        name=manifest.name,
        version=manifest.version,
        loss=report.loss,
        test_images=report.test_images,
        accuracy=report.accuracy,
        macro_precision=_mean([one.precision for one in report.classes]),
        macro_recall=_mean([one.recall for one in report.classes]),
        macro_f1=_mean([one.f1 for one in report.classes]),
        nll=report.calibration.nll_after,
        temperature=report.calibration.temperature,
        backbone=manifest.backbone,
        dimension=manifest.dimension,
        parameters=manifest.parameters,
        training_seconds=report.provenance.training_seconds,
        dataset_sha256=report.provenance.dataset.sha256,
        recipe=report.provenance.recipe,
        f1={one.label: one.f1 for one in report.classes},
        report=f"/report/{manifest.name}",
    )


def differences(losses: list[LossSummary]) -> list[str]:
    """What differs between the models besides the loss and its own parameters, sorted."""
    protocols = [_protocol(one) for one in losses]
    names = {name for protocol in protocols for name in protocol}
    return sorted(
        name for name in names if any(one.get(name) != protocols[0].get(name) for one in protocols)
    )


def _protocol(one: LossSummary) -> dict[str, object]:
    told = {name: value for name, value in one.recipe.items() if name not in _OF_THE_LOSS}
    return told | {
        "backbone": one.backbone,
        "embedding_size": one.dimension,
        "images": one.dataset_sha256,
    }


def interval(accuracy: float, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson 1927)."""
    z2 = _Z_95**2
    centre = (accuracy + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z_95 / (1 + z2 / n) * sqrt(accuracy * (1 - accuracy) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def mistakes(report: Report, count: int) -> list[Mistake]:
    """The most frequent mistakes."""
    labels = report.confusion.labels
    found = [
        Mistake(labels[i], labels[j], n)
        for i, row in enumerate(report.confusion.counts)
        for j, n in enumerate(row)
        if i != j and n > 0
    ]
    return sorted(found, key=lambda mistake: -mistake.count)[:count]


def weakest(report: Report) -> ClassMetrics:
    """The class with the lowest F1."""
    return min(report.classes, key=lambda one: one.f1)


def accuracy_line(curve: tuple[Epoch, ...]) -> Line:
    """Accuracy on the tuning split by epoch."""
    return _line([epoch.tuning_accuracy for epoch in curve])


def loss_line(curve: tuple[Epoch, ...]) -> Line:
    """Training loss by epoch."""
    return _line([epoch.loss for epoch in curve])


def _line(values: list[float]) -> Line:
    low, high = min(values), max(values)
    step = 100 / max(1, len(values) - 1)
    span = (high - low) or 1.0
    points = " ".join(
        f"{i * step:.2f},{100 - 100 * (value - low) / span:.2f}" for i, value in enumerate(values)
    )
    return Line(points, low, high, values[-1])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
