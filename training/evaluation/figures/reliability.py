"""Reliability before and after calibration."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from models.evidence.confidence import Confidence, ConfidenceQuality
from models.report import Figure
from training.evaluation.figures.style import FIRST, SECOND, SOFT, arms, drawing, grid, interval


def describe_reliability(section: Confidence) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="reliability",
        title="Does confidence come true?",
        caption=f"{section.n:,} test images, grouped by confidence into "
        f"{len(section.after.reliability)} equal bins, before and after calibration. On "
        "the diagonal, confidence is honest: of the answers given with 80 % confidence, 80 % are "
        "right. Points below it claim too much, points above too little. Bars are Wilson's 95 % "
        "intervals; the strips below count images, on a logarithmic scale. ECE is the mean "
        "distance from the diagonal, weighted by images, with its 95 % interval.",
    )


def draw_reliability(section: Confidence, path: Path) -> None:
    """Accuracy against confidence, bin by bin, beside the count of each bin."""
    with drawing(path, f"Reliability, n = {section.n:,} test images", 4.9) as figure:
        above, below = figure.subplots(
            2, 2, sharex=True, sharey="row", gridspec_kw={"height_ratios": (2.6, 1)}
        )
        _curve(above[0], section.before, "before calibration", SECOND)
        _curve(above[1], section.after, "as served", FIRST)
        _counts(below[0], section.before, SECOND)
        _counts(below[1], section.after, FIRST)
        above[0].set_ylabel("right answers (%)")
        below[0].set_ylabel("images")
        figure.supxlabel(f"confidence (%), n = {section.n:,} test images", fontsize=10)


def _curve(axes: Axes, quality: ConfidenceQuality, moment: str, color: str) -> None:
    grid(axes)
    axes.plot((0, 100.0), (0, 100), color=SOFT, linestyle="--", linewidth=1)
    for row in quality.reliability:
        if row.accuracy is None or row.mean_confidence is None:
            continue
        axes.errorbar(
            100 * row.mean_confidence,
            100 * row.accuracy.value,
            yerr=arms(row.accuracy, 100.0),
            color=color,
            marker="o",
            markersize=5,
            capsize=2.5,
            clip_on=False,
        )
    axes.set(xlim=(0, 101), ylim=(0, 101), title=f"{moment}\nECE {interval(quality.ece, 2)}")


def _counts(axes: Axes, quality: ConfidenceQuality, color: str) -> None:
    grid(axes)
    rows = quality.reliability
    axes.bar(
        [100 * row.low for row in rows],
        [row.count for row in rows],
        width=[100 * (row.high - row.low) for row in rows],
        align="edge",
        color=color,
        alpha=0.75,
        edgecolor="white",
        linewidth=0.5,
    )
    if not any(row.count for row in rows):
        return
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
