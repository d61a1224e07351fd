"""Detection of images whose classes were left out of training."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from models.evidence.unknowns import LeaveOutRound, UnknownsSection
from models.manifest import Scorer
from models.report import Figure
from training.evaluation.figures.style import (
    FIFTH,
    FIRST,
    FOURTH,
    SECOND,
    SOFT,
    THIRD,
    arms,
    drawing,
    grid,
    short,
)

_LOOKS: dict[Scorer, tuple[str, str, str]] = {
    "max_probability": (FIRST, "o", "highest probability"),
    "class_mean_distance": (SECOND, "s", "distance to the nearest class mean"),
    "knn_distance": (THIRD, "^", "distance to the k-th nearest image"),
    "relative_mahalanobis": (FOURTH, "D", "relative Mahalanobis distance"),
    "principal_residual": (FIFTH, "v", "distance to the principal subspace"),
}
_APART = 0.15


def describe_unknowns(section: UnknownsSection) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="unknowns",
        title="Noticing classes that were never shown",
        caption="Models trained without the classes named beside them (n = "
        f"{len(section.rounds)}), then asked about {_count(section)} test images of known and "
        "left-out classes together. AUROC is the chance that an image of a left-out class looks "
        "less familiar than one of a known class: 0.5 is chance, 1 is perfect. Bars "
        "are 95 % intervals (DeLong); the last row is the mean of the rounds.",
    )


def draw_unknowns(section: UnknownsSection, path: Path) -> None:
    """AUROC of each score in each round and on average; nothing is written without rounds."""
    if not section.rounds:
        return
    rows = len(section.rounds) + 1
    with drawing(path, "AUROC of unknown images", 1.4 + 0.62 * rows) as figure:
        axes = figure.subplots()
        grid(axes)
        for row, leave_out in enumerate(section.rounds):
            _round(axes, row, leave_out)
        for mean in section.means:
            color, shape, _ = _LOOKS[mean.scorer]
            axes.plot(mean.auroc, _height(rows - 1, mean.scorer), shape, color=color, markersize=9)
        axes.axhline(rows - 1.5, color=SOFT, linewidth=0.8)
        axes.axvline(0.5, color=SOFT, linestyle=":")
        names = [*map(_name, section.rounds), "mean of the rounds"]
        axes.set_yticks(range(rows), names)
        axes.set(xlabel="AUROC (0.5 is chance, 1 is perfect)", ylim=(rows - 0.5, -0.5))
        axes.set_xlim(min(0.48, axes.get_xlim()[0]), 1.01)
        handles = [Line2D([], [], color=ink, marker=shape) for ink, shape, _ in _LOOKS.values()]
        names = [name for _, _, name in _LOOKS.values()]
        figure.legend(handles, names, loc="outside upper center", ncols=2, columnspacing=1.2)


def _round(axes: Axes, row: int, leave_out: LeaveOutRound) -> None:
    for result in leave_out.scorers:
        color, shape, _ = _LOOKS[result.scorer]
        axes.errorbar(
            result.auroc.value,
            _height(row, result.scorer),
            xerr=arms(result.auroc),
            color=color,
            marker=shape,
            markersize=5,
            capsize=2.5,
            linestyle="none",
        )


def _height(row: int, scorer: Scorer) -> float:
    return row + _APART * (list(_LOOKS).index(scorer) - 2)


def _name(leave_out: LeaveOutRound) -> str:
    names = short(", ".join(leave_out.left_out), 30)
    return f"without {names}\n{leave_out.known:,} known, {leave_out.unknown:,} unknown"


def _count(section: UnknownsSection) -> str:
    totals = sorted({each.known + each.unknown for each in section.rounds})
    return " to ".join(f"{total:,}" for total in dict.fromkeys((totals[0], totals[-1])))
