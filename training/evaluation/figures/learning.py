"""The learning curves, epoch by epoch."""

from pathlib import Path

from matplotlib.ticker import MaxNLocator

from models.report import Epoch, Figure
from training.evaluation.figures.style import FIRST, SECOND, drawing, grid, percent


def describe_learning_curve(epochs: tuple[Epoch, ...], tuning: int) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="learning-curve",
        title="How training went",
        caption=f"{len(epochs)} epochs. Left: the mean training loss, in the loss's own unit, not "
        f"comparable between losses. Right: accuracy on {tuning:,} training images held out to "
        "choose by. A curve that still rises at its end would have gained from more epochs.",
    )


def draw_learning_curve(epochs: tuple[Epoch, ...], tuning: int, path: Path) -> None:
    """Training loss and accuracy on the `tuning` held-out images; nothing without epochs."""
    if not epochs:
        return
    with drawing(path, f"Learning curve, {len(epochs)} epochs", 3.0) as figure:
        left, right = figure.subplots(1, 2)
        numbers = [row.epoch for row in epochs]
        accuracies = [100 * row.tuning_accuracy for row in epochs]
        left.plot(numbers, [row.loss for row in epochs], color=SECOND, marker="s", markersize=3)
        right.plot(numbers, accuracies, color=FIRST, marker="o", markersize=3)
        left.set(ylabel="mean training loss", title=f"loss at the end {epochs[-1].loss:.4g}")
        right.set(
            ylabel="accuracy (%)",
            title=f"accuracy at the end {percent(epochs[-1].tuning_accuracy)}, n = {tuning:,}",
        )
        for axes in (left, right):
            grid(axes)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
