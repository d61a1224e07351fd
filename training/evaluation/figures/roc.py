"""Are two images of one class? What accepting more pairs costs."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from models.evidence.estimate import Estimate
from models.evidence.retrieval import AcceptRate, VerificationSection
from models.report import Figure
from training.evaluation.figures.style import (
    FIRST,
    SECOND,
    SOFT,
    THIRD,
    arms,
    drawing,
    grid,
    interval,
)

_DECADES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def describe_roc(section: VerificationSection) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="verification",
        title="Are two images of one class?",
        caption=f"All pairs of {section.images:,} test images: {section.genuine_pairs:,} of one "
        f"class, {section.impostor_pairs:,} of two. Lowering the threshold accepts more pairs of "
        "one class (up) and, by mistake, more pairs of two (right, logarithmic). Marked: the equal "
        "error rate, where both mistakes are equally frequent, and the two usual operating points, "
        "with 95 % intervals. Nearer to the upper left is better.",
    )


def draw_roc(section: VerificationSection, path: Path) -> None:
    """TAR against FAR; nothing is written where there is no curve."""
    if not section.roc:
        return
    with drawing(path, f"Verification, n = {section.images:,} test images", 4.5) as figure:
        axes = figure.subplots()
        grid(axes)
        far = [point.far for point in section.roc]
        axes.plot(far, [100 * point.tar for point in section.roc], color=FIRST, linewidth=1.8)
        chance = np.geomspace(min(far), 1, 200)
        axes.plot(chance, 100 * chance, color=SOFT, linestyle=":", label="chance")
        for rate, shape in zip(section.tar_at_far, ("s", "^"), strict=False):
            _operating_point(axes, rate, shape)
        if section.eer is not None:
            _equal_error(axes, section.eer)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([x for x in _DECADES if x >= min(far) * 0.999]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:g} %"))
        axes.set(
            xlim=(min(far), 1.02),
            ylim=(0, 102),
            xlabel=f"false accept rate, of {section.impostor_pairs:,} pairs of two classes",
            ylabel=f"true accept rate (%)\nof {section.genuine_pairs:,} pairs of one class",
        )
        figure.legend(loc="outside lower center", ncols=2)


def _operating_point(axes: Axes, rate: AcceptRate, shape: str) -> None:
    axes.errorbar(
        rate.far,
        100 * rate.tar.value,
        yerr=arms(rate.tar, 100.0),
        color=THIRD,
        marker=shape,
        markersize=7,
        capsize=3,
        linestyle="none",
        label=f"TAR at FAR {100 * rate.far:g} %: {interval(rate.tar)}",
    )


def _equal_error(axes: Axes, eer: Estimate) -> None:
    ends = np.clip(np.linspace(eer.low, eer.high, 50), 1e-9, 1)
    axes.plot(ends, 100 * (1 - ends), color=SECOND, linewidth=3, alpha=0.6)
    axes.plot(
        max(eer.value, 1e-9),
        100 * (1 - eer.value),
        color=SECOND,
        marker="o",
        markersize=8,
        linestyle="none",
        label=f"equal error rate: {interval(eer)}",
    )
