"""The losses side by side: their means, their differences to the baseline."""

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matplotlib import figure as mpl
from matplotlib.axes import Axes

from models.comparison import ComparisonReport, Difference
from models.comparison_protocol import Measure
from models.evidence.estimate import Estimate
from models.report import Figure
from training.evaluation.figures.style import (
    FIRST,
    SECOND,
    SMALL_PT,
    SOFT,
    arms,
    drawing,
    grid,
    short,
)

_COLUMNS = 3
_SCATTER = 0.22  # how far below its mean a seed's dot lies, in rows


def describe_measures(report: ComparisonReport) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="comparison-measures",
        title="The losses side by side",
        caption=f"Large dots: each loss's mean over {report.protocol.seeds} seeds with its 95 % "
        "interval over seeds and, where the measure's part is known, test images; small dots: the "
        "seeds. The arrow says which way is better. Losses from the simplest (top) to the least "
        f"simple. Overlapping intervals are no test: the differences to {report.baseline} are.",
    )


def describe_differences(report: ComparisonReport) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="comparison-differences",
        title=f"Differences to {report.baseline}",
        caption=f"Each loss less {report.baseline}, trained and tested with the same "
        f"{report.protocol.seeds} seeds: mean and 95 % interval of the test, over seeds and, where "
        "the measure's part is known, test images. Filled: different at 5 % after Holm's "
        "correction over all pairs of losses on that measure. Hollow: not distinguished. The arrow "
        "says which way is better.",
    )


def draw_measures(report: ComparisonReport, path: Path) -> None:
    """A panel for each measure: every loss's mean, interval and seeds."""
    title = f"The losses side by side, n = {report.protocol.seeds} seeds each"
    with _panels(report, report.losses, (title, path)) as panels:
        rows = {loss: row for row, loss in enumerate(report.losses)}
        for axes, measure in panels:
            scale = _scale(measure)
            for result in report.results:
                if result.measure != measure.name:
                    continue
                row = rows[result.loss]
                seeds = [scale * value for value in result.by_seed]
                below = [row + _SCATTER] * len(seeds)
                axes.plot(seeds, below, "o", color=SOFT, markersize=2.5, alpha=0.8)
                _estimate(axes, result.mean, row, (scale, FIRST, True))


def draw_differences(report: ComparisonReport, path: Path) -> None:
    """A panel for each measure: every other loss less the baseline."""
    losses = tuple(loss for loss in report.losses if loss != report.baseline)
    title = f"Differences to {report.baseline}, n = {report.protocol.seeds} seeds each"
    with _panels(report, losses, (title, path)) as panels:
        for axes, measure in panels:
            axes.axvline(0, color=SOFT, linewidth=1, linestyle="--")
            for row, loss in enumerate(losses):
                found = difference_to(report, loss, measure.name)
                if found is None:
                    continue
                estimate, tested = found
                look = _scale(measure), SECOND, tested.significant
                _estimate(axes, estimate, row, look)


def difference_to(
    report: ComparisonReport, loss: str, measure: str
) -> tuple[Estimate, Difference] | None:
    """The loss less the baseline, whichever way round the report has the pair; None without it."""
    for tested in report.differences:
        if tested.measure != measure or {tested.first, tested.second} != {loss, report.baseline}:
            continue
        found = tested.difference
        if tested.first == report.baseline:
            found = Estimate(value=-found.value, low=-found.high, high=-found.low)
        return found, tested
    return None


@contextmanager
def _panels(
    report: ComparisonReport, losses: tuple[str, ...], target: tuple[str, Path]
) -> Iterator[list[tuple[Axes, Measure]]]:
    title, path = target
    rows = math.ceil(len(report.measures) / _COLUMNS)
    columns = min(_COLUMNS, len(report.measures))
    with drawing(path, title, 0.5 + rows * (1.0 + 0.27 * len(losses))) as figure:
        grid_of = figure.subplots(rows, columns, sharey=True, squeeze=False)
        every = list(grid_of.flat)
        panels = list(zip(every, report.measures, strict=False))
        for axes, measure in panels:
            grid(axes)
            _label(axes, measure)
        for axes in every[len(panels) :]:
            axes.axis("off")
        yield panels
        panels[0][0].set_yticks(range(len(losses)), [short(loss) for loss in losses])
        panels[0][0].set_ylim(len(losses) - 0.4, -0.6)
        _say_n(figure, report)


def _label(axes: Axes, measure: Measure) -> None:
    better = "→" if measure.higher_is_better else "←"
    unit = " (%)" if measure.percent else ""
    axes.set_title("\n".join(textwrap.wrap(f"{measure.title}{unit}", 26)), fontsize=SMALL_PT)
    axes.set_xlabel(f"{better} better", fontsize=SMALL_PT)
    axes.locator_params(axis="x", nbins=4)


def _say_n(figure: mpl.Figure, report: ComparisonReport) -> None:
    protocol = report.protocol
    words = f"n = {protocol.seeds} seeds a loss, {report.dataset.test:,} test images"
    figure.supxlabel(words, fontsize=SMALL_PT)


def _scale(measure: Measure) -> float:
    return 100.0 if measure.percent else 1.0


def _estimate(axes: Axes, estimate: Estimate, row: int, look: tuple[float, str, bool]) -> None:
    scale, color, filled = look
    axes.errorbar(
        scale * estimate.value,
        row,
        xerr=arms(estimate, scale),
        color=color,
        marker="o",
        markersize=6,
        markerfacecolor=color if filled else "white",
        capsize=3,
    )
