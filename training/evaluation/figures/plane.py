"""A true 2-D embedding: what a loss makes of a plane, without any projection."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64
from matplotlib import figure as mpl
from matplotlib.axes import Axes

from models.evidence.feature_space import Plane
from models.manifest import Metric
from models.report import Figure
from models.vectors import unit
from training.evaluation.figures.scatter import MOST_NAMED, name_classes, scatter
from training.evaluation.figures.style import SOFT, drawing, look, percent, short

_POINT = 5.0
_ROOM = 1.15


@dataclass(frozen=True)
class TrainedPlanePoints:
    """Test images as the backbone of a 2-D model gives them, before any scaling to unit length.

    `anchors` are what the head compares with, if anything: class weights or prototypes. Where the
    metric is cosine only directions count.
    """

    points: Float32[np.ndarray, "n 2"]
    labels: Int64[np.ndarray, " n"]
    names: tuple[str, ...]
    metric: Metric
    anchors: Float32[np.ndarray, "c 2"] | None = None


def describe_plane(shown: TrainedPlanePoints, plane: Plane) -> Figure:
    """Its name, title and caption."""
    margin = (
        ""
        if plane.largest_margin is None
        else " A margin cannot be larger than what the plane holds: "
        f"{plane.largest_margin:.3g}, in the loss's own unit."
    )
    return Figure(
        name="plane",
        title="A true 2-D embedding",
        caption=f"The same loss trained with an embedding of 2 numbers (seed {plane.seed}, "
        f"{plane.epochs} epochs), so that this is the embedding itself and no projection: "
        f"{len(shown.labels):,} of {plane.test_images:,} test images as the backbone gives them."
        f"{_say_anchors(shown)} The plane allows each of {len(shown.names):,} classes "
        f"{plane.separation_deg:.1f} degrees.{margin}",
    )


def _say_anchors(shown: TrainedPlanePoints) -> str:
    if shown.anchors is None:
        return ""
    if shown.metric == "cosine":
        return " Rays point to what each class is compared with; its length does not matter."
    return " Outlined marks are what each class is compared with."


def draw_plane(shown: TrainedPlanePoints, plane: Plane, path: Path) -> None:
    """The points; where the metric is cosine, beside them each class's directions."""
    directions = shown.metric == "cosine"
    with drawing(path, f"2-D embedding, n = {plane.test_images:,}", 5.2) as figure:
        left, right = _panels(figure, directions)
        scatter(left, shown.points, shown.labels, _POINT)
        left.set_aspect("equal", adjustable="datalim" if directions else "box")
        left.axhline(0, color=SOFT, linewidth=0.5, zorder=0.9)
        left.axvline(0, color=SOFT, linewidth=0.5, zorder=0.9)
        if shown.anchors is not None:
            _anchors(left, shown.anchors, shown.points, directions)
        left.set(xlabel="embedding, first number", ylabel="embedding, second number")
        figure.suptitle(_title(shown, plane))
        if right is not None:
            _directions(right, shown)
            right.set_title(f"room for each class: {plane.separation_deg:.1f}°")
        name_classes(figure, shown.names)


def _panels(figure: mpl.Figure, directions: bool) -> tuple[Axes, Axes | None]:
    if not directions:
        return figure.subplots(), None
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (5, 4)})
    return left, right


def _title(shown: TrainedPlanePoints, plane: Plane) -> str:
    own = ", ".join(f"{name} {value:.3g}" for name, value in plane.parameters.items())
    if plane.largest_margin is not None:
        own += f" (largest margin that fits: {plane.largest_margin:.3g})"
    accuracy = f"accuracy {percent(plane.accuracy)}, n = {plane.test_images:,} test images"
    return f"{accuracy}, {len(shown.names):,} classes in 2-D" + (f"\n{own}" if own else "")


def _anchors(
    axes: Axes,
    anchors: Float32[np.ndarray, "c 2"],
    points: Float32[np.ndarray, "n 2"],
    directions: bool,
) -> None:
    """Rays to beyond the farthest image, or marks where the anchors are."""
    reach = _ROOM * float(np.linalg.norm(points, axis=1).max(initial=0))
    for label, anchor in enumerate(anchors.astype(np.float64)):
        color, shape = look(label)
        length = float(np.linalg.norm(anchor))
        if directions and length > 0:
            end = reach * anchor / length
            axes.plot((0, end[0]), (0, end[1]), color=color, linewidth=1, zorder=2)
            anchor = end
        axes.plot(
            *anchor, marker=shape, markersize=9, color=color, markeredgecolor="black", zorder=3
        )


def _directions(axes: Axes, shown: TrainedPlanePoints) -> None:
    """For each class the directions of its images: the middle 90 % and 50 %, and its anchor."""
    classes = range(len(shown.names))
    for label in classes:
        mine = shown.points[shown.labels == label].astype(np.float64)
        mine = mine[np.linalg.norm(mine, axis=1) > 0]
        if len(mine):
            _spread(axes, label, mine)
    if shown.anchors is not None:
        for label, anchor in enumerate(shown.anchors.astype(np.float64)):
            axes.plot(_degrees(anchor[None])[0], label, marker="|", markersize=13, color="black")
    named = [short(name, 14) for name in shown.names] if len(classes) <= MOST_NAMED else []
    axes.set_yticks(classes if named else [], named)
    axes.set(
        xlim=(-180, 180),
        xticks=range(-180, 181, 90),
        ylim=(len(classes) - 0.5, -0.5),
        xlabel="direction (degrees)\nthin: 90 % of the images, thick: 50 %",
    )


def _spread(axes: Axes, label: int, points: Float64[np.ndarray, "m 2"]) -> None:
    """Around the mean direction, so that a class across 180 degrees stays in one piece."""
    middle = float(_degrees(unit(points).mean(axis=0, keepdims=True))[0])
    turned = (_degrees(points) - middle + 180) % 360 - 180
    low, lower, median, upper, high = np.percentile(turned, (5, 25, 50, 75, 95))
    color, shape = look(label)
    for turn in (-360, 0, 360):
        shift = middle + turn
        axes.plot((low + shift, high + shift), (label, label), color=color, linewidth=1.5)
        axes.plot((lower + shift, upper + shift), (label, label), color=color, linewidth=6)
        axes.plot(median + shift, label, marker=shape, color=color, markeredgecolor="white")


def _degrees(points: Float64[np.ndarray, "m 2"]) -> Float64[np.ndarray, " m"]:
    found: Float64[np.ndarray, " m"] = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    return found
