"""Each loss's embeddings read by every kind of head, so that loss and head are distinguished."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from models.comparison import ComparisonReport, Swap
from models.report import Figure
from training.evaluation.figures.style import SMALL_PT, drawing, percent, short

_MAP = "cividis"


def describe_head_swap(report: ComparisonReport) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="comparison-head-swap",
        title="Is it the loss or its head?",
        caption="Accuracy of each loss's test embeddings (rows), read by its own head, by nearest "
        f"class mean, by k-NN and by a linear probe (columns): mean over {report.protocol.seeds} "
        "seeds, with its 95 % interval below. Differences down a column come from the embeddings, "
        "differences along a row from the reader.",
    )


def draw_head_swap(report: ComparisonReport, path: Path) -> None:
    """A matrix of accuracies; nothing is written where the report has none."""
    if not report.head_swap:
        return
    readers = list(dict.fromkeys(swap.reader for swap in report.head_swap))
    losses = [loss for loss in report.losses if any(s.loss == loss for s in report.head_swap)]
    values = np.full((len(losses), len(readers)), np.nan)
    for swap in report.head_swap:
        values[losses.index(swap.loss), readers.index(swap.reader)] = 100 * swap.accuracy.value
    seeds = report.protocol.seeds
    with drawing(path, f"Head swap, n = {seeds} seeds each", 1.5 + 0.62 * len(losses)) as figure:
        axes = figure.subplots()
        image = axes.imshow(values, cmap=_MAP, aspect="auto", interpolation="none")
        figure.colorbar(image, label="accuracy (%)")
        axes.set_xticks(range(len(readers)), readers)
        axes.set_yticks(range(len(losses)), [short(loss) for loss in losses])
        axes.spines[:].set_visible(False)
        axes.set(
            xlabel=f"read by (n = {seeds} seeds, {report.dataset.test:,} test images)",
            ylabel="embeddings of",
        )
        middle = (np.nanmin(values) + np.nanmax(values)) / 2
        for swap in report.head_swap:
            place = readers.index(swap.reader), losses.index(swap.loss)
            _print(axes, swap, place, "black" if values[place[::-1]] > middle else "white")


def _print(axes: Axes, swap: Swap, place: tuple[int, int], ink: str) -> None:
    column, row = place
    found = swap.accuracy
    axes.text(
        column, row - 0.14, percent(found.value), ha="center", va="center", color=ink, weight="bold"
    )
    ends = f"{100 * found.low:.1f} to {100 * found.high:.1f}"
    axes.text(column, row + 0.22, ends, ha="center", va="center", color=ink, fontsize=SMALL_PT)
