"""Accuracy on changed images."""

from pathlib import Path

from models.evidence.robustness import Changed, Robustness
from models.report import Figure
from training.evaluation.figures.style import FIRST, SECOND, SOFT, arms, drawing, grid

_ROW_IN = 0.21


def describe_robustness(section: Robustness) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="robustness",
        title="Accuracy on changed images",
        caption=f"The same {section.images:,} test images, changed in one way each time. Dots: "
        "accuracy with its 95 % interval; crosses: mean confidence. A cross far to the right of "
        "its dot is a model that errs without doubting. The line is the accuracy on unchanged "
        "images.",
    )


def draw_robustness(section: Robustness, path: Path) -> None:
    """A row for each change at each strength; nothing where no change was tried."""
    rows = section.changed
    if not rows:
        return
    title = f"Robustness, n = {section.images:,} test images"
    with drawing(path, title, 1.2 + _ROW_IN * len(rows)) as figure:
        axes = figure.subplots()
        grid(axes)
        axes.axvline(100 * section.unchanged.accuracy.value, color=SOFT, linewidth=1.0)
        for place, row in enumerate(rows):
            axes.errorbar(
                100 * row.accuracy.value,
                place,
                xerr=arms(row.accuracy, 100.0),
                color=FIRST,
                marker="o",
                markersize=4,
                linestyle="none",
                label="accuracy" if place == 0 else None,
            )
        axes.plot(
            [100 * row.mean_confidence for row in rows],
            range(len(rows)),
            color=SECOND,
            marker="x",
            markersize=5,
            linestyle="none",
            label="mean confidence",
        )
        axes.set_yticks(range(len(rows)), [words_of(row) for row in rows])
        axes.invert_yaxis()
        axes.set(xlim=(0, 101), xlabel=f"%, n = {section.images:,} test images a row")
        figure.legend(loc="outside lower center", ncols=2)


def words_of(row: Changed) -> str:
    """Such as `Gaussian noise 8 (sd, of 255)`."""
    if not row.unit:
        return row.title
    sign = "+" if row.change == "brightness" else ""
    return f"{row.title} {row.strength:{sign}g} ({row.unit})"
