"""`python -m benchmarks.index.plot RESULTS`: how each kind grows, as an SVG beside the results."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.index.quantities import QUANTITIES, RECALL, Quantity, points
from benchmarks.index.results import KINDS, Report
from training.evaluation.figures.style import FIRST, SECOND, THIRD, drawing, grid

_LOOKS = dict(zip(KINDS, ((FIRST, "o"), (SECOND, "s"), (THIRD, "^")), strict=True))
_WIDTH_IN, _HEIGHT_IN = 9.6, 4.4
_LEAST_RECALL = 0.9  # shown, at least


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index.plot", description=__doc__)
    parser.add_argument("results", type=Path, help="what python -m benchmarks.index wrote")
    parser.add_argument("--out", type=Path, help="default: RESULTS with .svg")
    chosen = parser.parse_args(arguments)
    report = Report.model_validate_json(chosen.results.read_text())
    draw(report, chosen.out or chosen.results.with_suffix(".svg"))


def draw(report: Report, path: Path) -> None:
    """A panel for each quantity, by the number of vectors; all axes but recall's logarithmic."""
    with drawing(path, "How each kind of index grows", _HEIGHT_IN, _WIDTH_IN) as figure:
        panels = figure.subplots(2, 4).flat
        for axes, quantity in zip(panels, (RECALL, *QUANTITIES), strict=False):
            _draw(axes, report, quantity)
            if quantity is RECALL:
                axes.set_ylim(min(_LEAST_RECALL, axes.get_ylim()[0]), 1.005)
            else:
                _count_in_decades(axes.yaxis)
        panels[-1].axis("off")
        panels[-1].legend(*panels[0].get_legend_handles_labels(), loc="center")


def _draw(axes: Axes, report: Report, quantity: Quantity) -> None:
    for kind, (color, shape) in _LOOKS.items():
        found = points(report, kind, quantity.value)
        sizes, values = [size for size, _ in found], [value for _, value in found]
        axes.plot(sizes, values, color=color, marker=shape, markersize=4, label=kind)
    unit = f" ({quantity.unit})" if quantity.unit else ""
    axes.set_title(quantity.title + unit)
    axes.set_xscale("log")
    axes.set_xticks(report.settings.sizes, list(map(_short, report.settings.sizes)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    grid(axes)


def _short(size: int) -> str:
    if size % 1_000_000 == 0:
        return f"{size // 1_000_000} M"
    return f"{size // 1000} k" if size % 1000 == 0 else str(size)


def _count_in_decades(axis: Axis) -> None:
    """Few plain numbers, whether one decade is shown or five."""
    if not any((np.asarray(line.get_ydata()) > 0).any() for line in axis.axes.lines):
        return  # a logarithm has no place for it
    axis.axes.set_yscale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


if __name__ == "__main__":
    main()
