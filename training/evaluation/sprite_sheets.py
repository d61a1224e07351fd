"""Test images on sprite sheets, for all models of a data set."""

from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from models.test_images import Grid, TestImages
from training.data.dataset import LabeledImages

_WIDEST_TILE = 64
_QUALITY = 85  # full color resolution, so that no tile's color runs into the next


def draw_sheets(part: LabeledImages) -> TestImages:
    """The images, at most 64 pixels wide, on sheets of at most 4,096."""
    size = min(_WIDEST_TILE, part.images.shape[1])
    grid = Grid.of(size)
    tiles = [_tile(image, size) for image in part.images.numpy()]
    sheets = [
        _jpeg(tiles[first : first + grid.per_sheet], grid)
        for first in range(0, len(tiles), grid.per_sheet)
    ]
    return TestImages(part.ids, part.labels.numpy(), grid, tuple(sheets))


def _tile(image: UInt8[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "t t 3"]:
    if len(image) == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def _jpeg(tiles: list[UInt8[np.ndarray, "t t 3"]], grid: Grid) -> bytes:
    side, columns = grid.tile_px, min(grid.columns, len(tiles))
    rows = -(-len(tiles) // grid.columns)
    sheet = np.zeros((rows * side, columns * side, 3), np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, grid.columns)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = tile
    buffer = BytesIO()
    Image.fromarray(sheet).save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return buffer.getvalue()
