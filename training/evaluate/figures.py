"""The report's figures, as SVG that is the same for the same data."""

from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from models.report import Confusion

# Paul Tol's muted scheme with black: told apart by people with any colour vision, legible on white.
# With the shapes it tells 110 classes before a pair repeats.
COLOURS = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#DDCC77",
    "#CC6677",
    "#882255",
    "#AA4499",
    "#000000",
    "#777777",
)
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
PROJECTION = "t-SNE, perplexity 30, PCA start, seed 0"


def draw_confusion(confusion: Confusion, title: str, path: Path) -> None:
    """The confusion matrix: counts printed, rates of the true class as shade."""
    counts = np.array(confusion.counts)
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with _style():
        side = 2.5 + 0.45 * len(counts)
        figure = Figure(figsize=(side + 0.8, side), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(rates, cmap="Blues", vmin=0, vmax=1)
        figure.colorbar(image, label="share of the true class", shrink=0.8)
        ticks = range(len(counts))
        axes.set_xticks(ticks, confusion.labels, rotation=45, ha="right")
        axes.set_yticks(ticks, confusion.labels)
        axes.set(xlabel="predicted class", ylabel="true class", title=title)
        for (row, column), count in np.ndenumerate(counts):
            ink = "white" if rates[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=ink, fontsize=8)
        _save(figure, path)


def draw_feature_space(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    labels: NDArray[np.int64],
    names: tuple[str, ...],
    path: Path,
) -> None:
    """Embeddings [n, d] of the same images before and after training, each projected to 2-D."""
    with _style():
        figure = Figure(figsize=(10, 5.4), layout="constrained")
        panels = zip(figure.subplots(1, 2), (before, after), ("before", "after"), strict=True)
        for axes, embeddings, moment in panels:
            _scatter(axes, project(embeddings), labels, names)
            axes.set(title=f"{moment} training, n = {len(labels):,}", xticks=[], yticks=[])
            axes.set_xlabel(f"2-D projection ({PROJECTION})")
        handles, texts = axes.get_legend_handles_labels()
        columns = min(len(names), 5)
        figure.legend(handles, texts, loc="outside lower center", ncols=columns, markerscale=2)
        _save(figure, path)


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context({"svg.hashsalt": "lossatlas", "font.size": 9})


def project(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """A 2-D picture [n, 2] of embeddings [n, d]: t-SNE, or PCA where n is too small for it."""
    if len(embeddings) < 100:
        flat: NDArray[np.float32] = PCA(2, random_state=0).fit_transform(embeddings)
        return flat
    picture: NDArray[np.float32] = TSNE(perplexity=30, init="pca", random_state=0).fit_transform(
        embeddings
    )
    return picture


def _scatter(
    axes: Axes, points: NDArray[np.float32], labels: NDArray[np.int64], names: tuple[str, ...]
) -> None:
    for label, name in enumerate(names):
        mine = points[labels == label]
        axes.scatter(
            mine[:, 0],
            mine[:, 1],
            s=9,
            linewidths=0,
            alpha=0.75,
            label=name,
            color=COLOURS[label % len(COLOURS)],
            marker=SHAPES[label % len(SHAPES)],
            rasterized=True,
        )


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", dpi=160, metadata={"Date": None})
