"""The gain of leaving unsure images to a person."""

from pathlib import Path

from matplotlib.axes import Axes

from models.evidence.confidence import Confidence
from models.evidence.selective import Statement
from models.report import Figure
from training.evaluation.figures.style import FIRST, SECOND, SHAPES, drawing, grid, percent

_ROOM = 1.12
_UNSTEADY = 0.05  # coverages below it rest on few images


def describe_risk_coverage(section: Confidence) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="risk-coverage",
        title="Error when only the surest images are answered",
        caption=f"The {section.n:,} test images in order of confidence. Answering only the surest "
        "share (coverage) leaves the errors of the curve; the shaded band reaches up to the 95 % "
        "upper bound (Clopper-Pearson, one-sided), which the marked statements quote. AURC is the "
        "area under the curve: lower is better.",
    )


def draw_risk_coverage(section: Confidence, path: Path) -> None:
    """The error among the images answered, against their share; nothing without a curve."""
    selective = section.selective
    if not selective.curve:
        return
    with drawing(path, f"Risk and coverage, n = {section.n:,} test images", 4.6) as figure:
        axes = figure.subplots()
        grid(axes)
        coverage = [100 * row.coverage for row in selective.curve]
        error = [100 * (row.error or 0.0) for row in selective.curve]
        upper = [100 * row.upper for row in selective.curve]
        axes.plot(coverage, error, color=FIRST, linewidth=1.8, label="error on the test set")
        axes.fill_between(
            coverage, error, upper, color=FIRST, alpha=0.18, linewidth=0, label="95 % upper bound"
        )
        steady = [row.upper for row in selective.curve if row.coverage >= _UNSTEADY]
        top = max(1.0, 100 * max(steady, default=1.0))
        axes.set(xlim=(0, 101), ylim=(0, _ROOM * top))
        for statement, shape in zip(selective.statements, SHAPES, strict=False):
            _mark(axes, statement, shape)
        axes.set(
            xlabel=f"coverage: share of images answered (%), n = {section.n:,} test images",
            ylabel="wrong among those answered (%)",
            title=f"AURC {selective.aurc:.4f}",
        )
        figure.legend(loc="outside lower center", ncols=2)


def _mark(axes: Axes, statement: Statement, shape: str) -> None:
    words = f"{percent(statement.coverage)} answered: at most {percent(statement.upper)} wrong"
    axes.plot(
        100 * statement.coverage,
        100 * statement.upper,
        color=SECOND,
        marker=shape,
        markersize=7,
        linestyle="none",
        label=words,
        clip_on=False,
    )
