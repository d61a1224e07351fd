"""Distances between embeddings of one class and of different classes."""

import math
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from models.evidence.geometry import GeometrySection, PairValues
from models.report import Figure
from training.evaluation.figures.style import FIRST, SECOND, drawing, grid

Side = Literal["left", "right"]  # of its mean, where the mean is printed


def describe_distances(section: GeometrySection) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="distances",
        title="Distances and angles within and between classes",
        caption=f"Every pair of {section.paired_images:,} test images: {_pairs(section)}. The less "
        "the two shapes overlap, the easier it is to tell by distance alone whether two images "
        "are of one class. Each shape has area 1; the vertical lines are the means.",
    )


def draw_distances(section: GeometrySection, path: Path) -> None:
    """Densities of both kinds of pairs; nothing is written where there are no pairs."""
    if section.within_distance is None and section.between_distance is None:
        return
    length = " of unit-length embeddings" if section.metric == "cosine" else ""
    with drawing(path, f"Distances and angles, n = {section.paired_images:,}", 3.7) as figure:
        left, right = figure.subplots(1, 2)
        _panel(left, section.within_distance, section.between_distance, 1.0)
        _panel(right, section.within_angle_rad, section.between_angle_rad, math.degrees(1))
        left.set(xlabel=f"Euclidean distance{length}", ylabel="density per unit of distance")
        right.set(xlabel="angle seen from the origin (degrees)", ylabel="density per degree")
        if section.within_angle_rad or section.between_angle_rad:
            right.set(xlim=(0, 180), xticks=range(0, 181, 30))
        handles, texts = left.get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside upper center", ncols=2)


def _pairs(section: GeometrySection) -> str:
    kinds = (section.within_distance, "of one class"), (section.between_distance, "of two classes")
    return " and ".join(f"{values.pairs if values else 0:,} {kind}" for values, kind in kinds)


def _panel(axes: Axes, within: PairValues | None, between: PairValues | None, scale: float) -> None:
    grid(axes)
    if within:
        _density(axes, within, scale, (FIRST, "-", "one class"), "right")
    if between:
        _density(axes, between, scale, (SECOND, "--", "two classes"), "left")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)


def _density(
    axes: Axes, values: PairValues, scale: float, look: tuple[str, str, str], side: Side
) -> None:
    color, line, name = look
    edges = scale * np.array(values.edges)
    density = np.array(values.counts) / values.pairs / np.diff(edges)
    label = f"{name} ({values.pairs:,} pairs)"
    axes.stairs(density, edges, fill=True, color=color, alpha=0.2, linewidth=0)
    axes.stairs(density, edges, color=color, linestyle=line, linewidth=1.6, label=label)
    mean = scale * values.mean
    axes.axvline(mean, color=color, linestyle=line, linewidth=1)
    axes.text(
        mean,
        1.0,
        f"{mean:.0f}°" if scale > 1 else f"{mean:.2f}",
        color=color,
        ha=side,
        va="bottom",
        transform=axes.get_xaxis_transform(),
    )
