"""The most frequent mistakes, with images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from PIL import Image

from models.evidence.classification import Classification
from models.report import Figure
from training.evaluation.figures.style import SMALL_PT, SOFT, WIDTH_IN, drawing, percent, short

PAIRS = 6
_EXAMPLES = 6
_LARGEST_PX = 64
_LEAST_ROOM, _LETTER = 2.6, 0.14
_GAP = 0.06  # between images, as a share of one

Images = Mapping[str, UInt8[np.ndarray, "h w 3"]]


def describe_most_confused(section: Classification) -> Figure:
    """Its name, title and caption."""
    return Figure(
        name="most-confused",
        title="Most frequent mistakes",
        caption=f"The {min(PAIRS, len(section.most_confused))} most frequent mistakes on "
        f"{section.n:,} test images: true class → predicted class, how many images of the true "
        "class that is, and up to 6 of them, the most confident mistakes first.",
    )


def example_ids(section: Classification) -> tuple[str, ...]:
    """The ids of the test images that `draw_most_confused` shows, each once."""
    shown = (name for pair in section.most_confused[:PAIRS] for name in pair.examples[:_EXAMPLES])
    return tuple(dict.fromkeys(shown))


def draw_most_confused(section: Classification, images: Images, path: Path) -> None:
    """A row for each pair; an example whose id is not among `images` is left out.

    Nothing is written where no mistake was made.
    """
    pairs = section.most_confused[:PAIRS]
    if not pairs:
        return
    support = {row.label: row.support for row in section.classes}
    words = [f"{short(pair.actual)} → {short(pair.predicted)}" for pair in pairs]
    room = max(_LEAST_ROOM, _LETTER * max(map(len, words)))  # for words, in images
    height = WIDTH_IN / (room + _EXAMPLES) * (len(pairs) + 0.5)
    with drawing(path, f"Most frequent mistakes, n = {section.n:,}", height) as figure:
        axes = figure.subplots()
        for row, pair in enumerate(pairs):
            axes.text(-room, row + 0.33, words[row], va="center", weight="bold")
            share = f"{pair.count:,} of {support[pair.actual]:,} ({percent(pair.rate)})"
            axes.text(-room, row + 0.67, share, va="center", color=SOFT, fontsize=SMALL_PT)
            shown = [images[name] for name in pair.examples if name in images]
            for column, image in enumerate(shown[:_EXAMPLES]):
                _show(axes, image, column, row)
        axes.set_title(f"n = {section.n:,} test images")
        axes.set(xlim=(-room, _EXAMPLES), ylim=(len(pairs), 0), aspect="equal")
        axes.axis("off")


def _show(axes: Axes, image: UInt8[np.ndarray, "h w 3"], column: int, row: int) -> None:
    small = Image.fromarray(image)
    small.thumbnail((_LARGEST_PX, _LARGEST_PX))
    width, height = (side / max(small.size) * (1 - _GAP) / 2 for side in small.size)
    x, y = column + 0.5, row + 0.5
    extent = (x - width, x + width, y + height, y - height)
    axes.imshow(np.asarray(small), extent=extent, interpolation="none")
