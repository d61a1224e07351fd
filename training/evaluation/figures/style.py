"""The style of every figure, and its SVG, which is the same for the same data."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evidence.estimate import Estimate

# Paul Tol's muted scheme with black: legible on white, and distinct in any color vision.
# With the shapes it tells 110 classes before a pair repeats.
COLORS = (
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
FIRST, SECOND, THIRD = "#332288", "#CC6677", "#117733"
FOURTH, FIFTH = "#88CCEE", "#AA4499"
SOFT = "#777777"

WIDTH_IN = 7.2  # 9 points are 12 pixels where the page shows it 700 pixels wide
SMALL_PT = 9
_LONGEST_NAME = 22
_STYLE = {
    "svg.hashsalt": "lossatlas",
    "svg.fonttype": "none",  # text stays text: small, searchable, in any script
    "text.parse_math": False,  # a class may be called $x$
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "figure.titlesize": 10,
}


@contextmanager
def drawing(
    path: Path, title: str, height_in: float, width_in: float = WIDTH_IN
) -> Iterator[Figure]:
    """A figure to draw on; written to `path` afterwards, with the title for screen readers."""
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the browser has others
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        yield figure
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", dpi=120, metadata={"Date": None, "Title": title})


def look(label: int) -> tuple[str, str]:
    """The color and the shape of a class, by its place in the output order."""
    return COLORS[label % len(COLORS)], SHAPES[label % len(SHAPES)]


def short(name: str, longest: int = _LONGEST_NAME) -> str:
    """A class's name in print: no control characters, cut where it is long."""
    printed = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
    return printed if len(printed) <= longest else printed[: longest - 1] + "…"


def percent(share: float, digits: int = 1) -> str:
    """0.125 as `12.5 %`."""
    return f"{100 * share:.{digits}f} %"


def interval(estimate: Estimate, digits: int = 1) -> str:
    """A share with its 95 % interval, as `12.5 % (11.0 to 14.0)`."""
    low, high = (f"{100 * end:.{digits}f}" for end in (estimate.low, estimate.high))
    return f"{percent(estimate.value, digits)} ({low} to {high})"


def arms(estimate: Estimate, scale: float = 1.0) -> list[list[float]]:
    """The interval as matplotlib's error bars, [[below], [above]]."""
    below = max(0.0, estimate.value - estimate.low)
    above = max(0.0, estimate.high - estimate.value)
    return [[scale * below], [scale * above]]


def grid(axes: Axes) -> None:
    """Faint lines behind the data."""
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
