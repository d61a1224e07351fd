"""`python -m benchmarks.frontier.plot RESULTS...`: accuracy against images/s, as an SVG."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import FuncFormatter

from benchmarks.frontier.results import Point, Report
from models.atomic import replacing
from training.evaluation.figures.style import drawing, grid, look

_HEIGHT_IN, _WIDTH_IN = 3.8, 6.4


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frontier.plot", description=__doc__)
    parser.add_argument(
        "results", type=Path, nargs="+", help="what python -m benchmarks.frontier wrote"
    )
    parser.add_argument("--out", type=Path, help="default: the first of RESULTS with .svg")
    chosen = parser.parse_args(arguments)
    reports = [Report.model_validate_json(path.read_text()) for path in chosen.results]
    with replacing(chosen.out or chosen.results[0].with_suffix(".svg")) as temporary:
        draw(reports, temporary)


def draw(reports: Sequence[Report], path: Path) -> None:
    """A mark for each bundle, a color and shape for each loss; speed is logarithmic.

    A network's name stands at its least accurate bundle, below the others.
    """
    points, first = [point for report in reports for point in report.points], reports[0]
    with drawing(path, "What accuracy costs", _HEIGHT_IN, _WIDTH_IN) as figure:
        axes = figure.subplots()
        for number, loss in enumerate(sorted({point.loss for point in points})):
            mine = [point for point in points if point.loss == loss]
            color, shape = look(number)
            speeds = [point.images_per_s for point in mine]
            shares = [100 * point.accuracy for point in mine]
            axes.scatter(speeds, shares, color=color, marker=shape, label=loss)
        for point in _named(points):
            place = (point.images_per_s, 100 * point.accuracy)
            axes.annotate(point.network, place, (6, -10), textcoords="offset points")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlabel(f"images/s, {first.threads} threads, batches of {first.batch_size}")
        axes.set_ylabel("test accuracy (%)")
        axes.legend()
        grid(axes)


def _named(points: Sequence[Point]) -> list[Point]:
    """Of each network the point that carries its name."""
    descending = sorted(points, key=lambda point: point.accuracy, reverse=True)
    return list({point.network: point for point in descending}.values())


if __name__ == "__main__":
    main()
