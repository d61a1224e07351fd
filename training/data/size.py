"""An input size that suits a folder's images."""

from pathlib import Path
from statistics import median_low

from models.errors import UndecodableImage
from models.preprocess import size
from training.data.listing import list_folder

SMALLEST_PX = 16
LARGEST_PX = 64
LARGEST_PRETRAINED_PX = 224
FROM_SCRATCH = frozenset({"airbench", "compact"})
"""Backbones made for small images, whose cost grows with every pixel."""
_SAMPLE = 500


def choose_size_px(root: Path, backbone: str) -> int:
    """Height and width for the folder's images: their median shorter side, rounded down.

    To a multiple of 4 below 64, else of 32; at least 16, at most 64 for networks that are trained
    from scratch, and 224 for others. Up to 500 images, evenly spaced, are measured by their
    headers. Raises InvalidDataset where the folder is not laid out as expected.
    """
    listing = list_folder(root)
    paths = (*listing.train.paths, *listing.test.paths)
    sample = paths[:: max(1, len(paths) // _SAMPLE)]
    sides = [side for path in sample if (side := _shorter_side_px(path))]
    largest = LARGEST_PX if backbone in FROM_SCRATCH else LARGEST_PRETRAINED_PX
    side = min(median_low(sides), largest) if sides else SMALLEST_PX
    step = 4 if side < LARGEST_PX else 32
    return max(SMALLEST_PX, side // step * step)


def _shorter_side_px(path: Path) -> int | None:
    try:
        found = size(path.read_bytes())
        return min(found.width, found.height)
    except (OSError, UndecodableImage):
        return None  # loading the folder says what is wrong with it
