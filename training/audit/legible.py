"""Images that no network can read well: blank, tiny, broken, or of extreme shape."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from models.errors import ModelsError
from models.preprocess import size

BLANK_LEVELS = 8
"""Gray levels, of 255, between which 98 % of a blank image's pixels lie."""
LONGEST_ASPECT = 3.0
"""Of an image whose longer side is more than so many times the shorter, a third is seen."""
TINY_SHARE = 0.5
"""An image is tiny whose shorter side is less than this share of the network's input."""
_CHUNK = 256
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Pixels = UInt8[np.ndarray, "n h w 3"]


def blank(images: Pixels) -> dict[int, float]:
    """The rows of images with hardly any contrast, with the gray levels that they span."""
    found: dict[int, float] = {}
    for start in range(0, len(images), _CHUNK):
        gray = (images[start : start + _CHUNK].astype(np.float32) @ _LUMA).reshape(
            len(images[start : start + _CHUNK]), -1
        )
        low, high = np.quantile(gray, (0.01, 0.99), axis=1)
        for place in np.flatnonzero(high - low < BLANK_LEVELS):
            found[start + int(place)] = float(high[place] - low[place])
    return found


def misshapen(paths: Sequence[Path], size_px: int, step: Callable[[int], None]) -> dict[int, str]:
    """The rows of tiny and of very long images, with the reason."""
    found: dict[int, str] = {}
    with ThreadPoolExecutor() as pool:
        for row, sides in enumerate(pool.map(_sides, paths)):
            step(1)
            if reason := _fault(sides, size_px):
                found[row] = reason
    return found


def _fault(sides: tuple[int, int] | None, size_px: int) -> str | None:
    if sides is None:
        return None
    width, height = sides
    short, long = sorted(sides)
    if long > LONGEST_ASPECT * short:
        return (
            f"{width} x {height} px: the square in the middle, which the network sees, is "
            f"{short / long:.0%} of it"
        )
    if short < TINY_SHARE * size_px:
        return f"{width} x {height} px, for a network that sees {size_px} x {size_px} px"
    return None


def _sides(path: Path) -> tuple[int, int] | None:
    """The picture's size; None where the file went, or changed, since it was decoded."""
    try:
        found = size(path.read_bytes())
    except (OSError, ModelsError):
        return None
    return found.width, found.height
