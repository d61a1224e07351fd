"""The embeddings before and after training, with what the picture of them can be believed for."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes

from models.evidence.feature_space import Projection
from models.report import Figure
from training.evaluation.figures.scatter import name_classes, scatter
from training.evaluation.figures.style import SMALL_PT, drawing, percent
from training.evaluation.projection import PlaneProjection

_POINT = 7.0


def describe_feature_space(after: Projection, start: str) -> Figure:
    """Its name, title and caption; `start` is what the first panel shows (`start_of`)."""
    k = after.neighbours
    return Figure(
        name="feature-space",
        title="Feature space before and after training",
        caption=f"Embeddings of the same {after.images:,} test images {start} and after training, "
        f"flattened to 2-D ({after.method}). Such a picture keeps neighbors, not "
        "distances: the gaps between clusters and their sizes mean little. How far to believe it: "
        f"trustworthiness is 1 where the {k} nearest in the picture are near in the embedding "
        f"space too; agreement is the share of the {k} nearest embeddings that are also among the "
        f"{k} nearest in the picture; the last line is the share of images most of whose {k} "
        "nearest in the picture are of their own class.",
    )


def start_of(recipe: Mapping[str, object]) -> str:
    """Rebuild a run's network as it was before its first step."""
    if recipe.get("frozen"):
        return "before training, by a new layer on a trained trunk"
    if recipe.get("weights", "random") != "random":
        return "before training, from trained weights"
    return "before training"


def draw_feature_space(
    pictures: tuple[PlaneProjection, PlaneProjection],
    start: str,
    names: tuple[str, ...],
    path: Path,
) -> None:
    """Two panels, before and after, each with its projection's measures."""
    after = pictures[1]
    with drawing(path, f"Feature space, n = {len(after.labels):,} test images", 5.0) as figure:
        panels = zip(figure.subplots(1, 2), pictures, (start, "after training"), strict=True)
        for axes, picture, moment in panels:
            scatter(axes, picture.points, picture.labels, _POINT)
            axes.set(xticks=[], yticks=[], title=f"{moment}, n = {len(picture.labels):,}")
            axes.spines[:].set_visible(True)
            _print_measures(axes, picture.measured)
        name_classes(figure, names)


def _print_measures(axes: Axes, measured: Projection) -> None:
    method = measured.method.partition(",")[0]
    trust, k = measured.trustworthiness, measured.neighbours
    lines = (
        f"{method} 1 and 2 (no unit)",
        f"trustworthiness {'not defined' if trust is None else f'{trust:.3f}'}",
        f"{k}-NN agreement {_share(measured.neighbour_agreement)}",
        f"mostly own class nearby {_share(measured.picture_accuracy)}",
    )
    axes.set_xlabel("\n".join(lines), fontsize=SMALL_PT)


def _share(value: float | None) -> str:
    return "not defined" if value is None else percent(value)
