"""All figures of a report, and all of a comparison, into one folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from models.comparison import ComparisonReport
from models.report import Figure, Report
from training.evaluation.figures.comparison import (
    describe_differences,
    describe_measures,
    draw_differences,
    draw_measures,
)
from training.evaluation.figures.confused import Images, describe_most_confused, draw_most_confused
from training.evaluation.figures.confusion import describe_confusion, draw_confusion
from training.evaluation.figures.distances import describe_distances, draw_distances
from training.evaluation.figures.feature_space import (
    describe_feature_space,
    draw_feature_space,
    start_of,
)
from training.evaluation.figures.head_swap import describe_head_swap, draw_head_swap
from training.evaluation.figures.learning import describe_learning_curve, draw_learning_curve
from training.evaluation.figures.plane import TrainedPlanePoints, describe_plane, draw_plane
from training.evaluation.figures.reliability import describe_reliability, draw_reliability
from training.evaluation.figures.robustness import describe_robustness, draw_robustness
from training.evaluation.figures.roc import describe_roc, draw_roc
from training.evaluation.figures.selective import describe_risk_coverage, draw_risk_coverage
from training.evaluation.figures.unknowns import describe_unknowns, draw_unknowns
from training.evaluation.projection import PlaneProjection


class _Draw(Protocol):
    def __call__(self, *, path: Path) -> None: ...


@dataclass(frozen=True)
class FigureData:
    """The data of the figures beside the report's own numbers.

    `examples` are test images by id: those of `confused.example_ids` are shown.
    """

    examples: Images
    pictures: tuple[PlaneProjection, PlaneProjection] | None = None
    """Before and after training; None where the run's own weights are not available."""
    plane: TrainedPlanePoints | None = None


def draw_report(report: Report, material: FigureData, folder: Path) -> tuple[Figure, ...]:
    """Write `<name>.svg` for every figure that the report has numbers for; name those written.

    SVGs of an earlier report in the folder are removed; the report's own `figures` are not read.
    """
    return _written(_of_report(report, material), folder)


def draw_comparison(report: ComparisonReport, folder: Path) -> tuple[Figure, ...]:
    """Write the comparison's figures into the folder, and name those written.

    SVGs of an earlier one in the folder are removed.
    """
    drawings = (
        (describe_measures(report), partial(draw_measures, report)),
        (describe_differences(report), partial(draw_differences, report)),
        (describe_head_swap(report), partial(draw_head_swap, report)),
    )
    return _written(iter(drawings), folder)


def _written(drawings: Iterator[tuple[Figure, _Draw]], folder: Path) -> tuple[Figure, ...]:
    for earlier in folder.glob("*.svg"):
        earlier.unlink()
    figures = []
    for figure, draw in drawings:
        path = folder / f"{figure.name}.svg"
        draw(path=path)
        if path.is_file():  # a figure without data writes none
            figures.append(figure)
    return tuple(figures)


def _of_report(report: Report, material: FigureData) -> Iterator[tuple[Figure, _Draw]]:
    cases, sure = report.classification, report.confidence
    names, tuning = tuple(row.label for row in cases.classes), report.provenance.dataset.tuning
    yield describe_confusion(cases), partial(draw_confusion, cases)
    yield (
        describe_most_confused(cases),
        partial(draw_most_confused, cases, material.examples),
    )
    yield describe_reliability(sure), partial(draw_reliability, sure)
    yield describe_risk_coverage(sure), partial(draw_risk_coverage, sure)
    if report.unknowns.rounds:
        yield describe_unknowns(report.unknowns), partial(draw_unknowns, report.unknowns)
    yield describe_distances(report.geometry), partial(draw_distances, report.geometry)
    yield describe_roc(report.verification), partial(draw_roc, report.verification)
    if report.robustness is not None:
        yield describe_robustness(report.robustness), partial(draw_robustness, report.robustness)
    if material.pictures is not None:
        start = start_of(report.provenance.recipe)
        yield (
            describe_feature_space(material.pictures[1].measured, start),
            partial(draw_feature_space, material.pictures, start, names),
        )
    plane = report.feature_space.plane
    if plane is not None and material.plane is not None:
        yield describe_plane(material.plane, plane), partial(draw_plane, material.plane, plane)
    curve = report.learning_curve
    yield describe_learning_curve(curve, tuning), partial(draw_learning_curve, curve, tuning)
