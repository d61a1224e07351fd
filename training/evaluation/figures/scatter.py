"""Points colored by class, and the legend that names the classes."""

import numpy as np
from jaxtyping import Float32, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from training.evaluation.figures.style import SMALL_PT, SOFT, look, short

MOST_NAMED = 20
_COLUMNS = 5


def scatter(
    axes: Axes, points: Float32[np.ndarray, "n 2"], labels: Int64[np.ndarray, " n"], size: float
) -> None:
    """Every point in its class's color and shape, in random order so that none is on top.

    Together they are one embedded image, whatever their number.
    """
    axes.set_rasterization_zorder(0.8)  # below axes, labels and lines
    # one class after the other, but in slices: the last class would hide the others
    for part in np.array_split(np.random.default_rng(0).permutation(len(labels)), 8):
        for label in np.unique(labels[part]).tolist():
            mine = points[part][labels[part] == label]
            color, shape = look(label)
            axes.scatter(
                mine[:, 0],
                mine[:, 1],
                s=size,
                linewidths=0,
                alpha=0.75,
                color=color,
                marker=shape,
                zorder=0.5,
            )


def name_classes(figure: Figure, names: tuple[str, ...]) -> None:
    """The legend, below the panels; with more than 20 classes a sentence in its place."""
    if len(names) > MOST_NAMED:
        words = f"{len(names):,} classes, distinguished by color and shape"
        figure.supxlabel(words, fontsize=SMALL_PT, color=SOFT)
        return
    handles = [_handle(label) for label in range(len(names))]
    texts = [short(name) for name in names]
    figure.legend(
        handles, texts, loc="outside lower center", ncols=min(len(names), _COLUMNS), handletextpad=0
    )


def _handle(label: int) -> Line2D:
    color, shape = look(label)
    return Line2D([], [], color=color, marker=shape, markersize=6, linestyle="none")
