"""The confusion matrix: predicted classes by true class."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from models.evidence.classification import Classification, Confusion
from models.report import Figure
from training.evaluation.figures.style import SMALL_PT, drawing, percent, short

# perceptually uniform, light where the rate is 0
_MAP = "magma_r"
_SHADES = PowerNorm(0.5, vmin=0, vmax=1)  # its root, so that rare mistakes can be seen
_TICKS = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0)
_NARROWEST_IN, _WIDEST_IN = 5.6, 8.6
_CELL_IN = 0.46
_LETTER_PT, _BAR_PT = 5.8, 90
_POINTS_PER_IN = 72
_DARK = 0.35  # rates above it are so dark that ink is white


def describe_confusion(section: Classification) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="confusion-matrix",
        title="Confusion matrix",
        caption=f"All {section.n:,} test images by true class (rows) and predicted class "
        "(columns). Numbers, where they fit, count images; shade is the share of the row's images, "
        "on a square-root scale so that rare mistakes show. Everything off the diagonal is a "
        "mistake.",
    )


def draw_confusion(section: Classification, path: Path) -> None:
    """The confusion matrix; nothing is written where the section has none."""
    if section.confusion is None:
        return
    matrix = section.confusion
    names = [short(name) for name in matrix.labels]
    margin = max(map(len, names)) * _LETTER_PT
    wanted = (margin + _BAR_PT) / _POINTS_PER_IN + _CELL_IN * len(names)
    width = min(max(wanted, _NARROWEST_IN), _WIDEST_IN)
    cell = (_POINTS_PER_IN * width - margin - _BAR_PT) / len(names)
    title = f"Accuracy {percent(section.accuracy.value)} of n = {section.n:,} test images"
    with drawing(path, f"Confusion matrix. {title}", width * 0.88, width) as figure:
        axes = figure.subplots()
        rates = np.array(matrix.rates)
        image = axes.imshow(rates, cmap=_MAP, norm=_SHADES, interpolation="none")
        bar = figure.colorbar(image, label="share of the true class's images (%)", shrink=0.7)
        bar.set_ticks(_TICKS, labels=[f"{100 * tick:g}" for tick in _TICKS])
        _label(axes, names, math.ceil((SMALL_PT + 2) / cell))
        axes.set_title(title)
        if _widest(matrix) * _LETTER_PT + 3 <= cell:
            _print_counts(axes, matrix, rates)


def _label(axes: Axes, names: list[str], step: int) -> None:
    ticks = range(0, len(names), step)
    axes.set_xticks(ticks, names[::step], rotation=90)
    axes.set_yticks(ticks, names[::step])
    every = "" if step == 1 else f" (one in {step} named)"
    axes.set(xlabel=f"predicted class{every}", ylabel=f"true class{every}")
    axes.spines[:].set_visible(True)


def _widest(matrix: Confusion) -> int:
    return len(str(max(max(row) for row in matrix.counts)))


def _print_counts(axes: Axes, matrix: Confusion, rates: Float64[np.ndarray, "c c"]) -> None:
    for (row, column), count in np.ndenumerate(np.array(matrix.counts)):
        ink = "white" if rates[row, column] > _DARK else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=ink, fontsize=SMALL_PT)
