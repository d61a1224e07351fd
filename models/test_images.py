"""The test images of a data set, small, on sprite sheets: stored once for all of its models."""

import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHEET_PX = 4_096  # the widest texture that every WebGL has
_READ = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, IndexError, TypeError)


class InvalidTestImages(ValueError):
    """The file does not hold test images and their sheets."""


@dataclass(frozen=True)
class Grid:
    """The place of image i: sheet `i // per_sheet`, there row by row from the top left."""

    tile_px: int
    columns: int
    rows: int  # of a full sheet; the last one may have fewer

    @property
    def per_sheet(self) -> int:
        """Tiles of a full sheet."""
        return self.columns * self.rows

    @classmethod
    def of(cls, tile_px: int) -> "Grid":
        """As many tiles as a sheet of `SHEET_PX` takes."""
        side = SHEET_PX // tile_px
        return cls(tile_px, side, side)


@dataclass(frozen=True)
class TestImages:
    """The stored facts of the test images: their names, classes and pictures."""

    __test__ = False  # nothing for pytest to collect

    ids: tuple[str, ...]  # the file's path inside the data set
    labels: NDArray[np.int64]  # [n], index into Manifest.labels
    grid: Grid
    sheets: tuple[bytes, ...]  # JPEG files

    def __len__(self) -> int:
        return len(self.ids)


def write_test_images(path: Path, images: TestImages) -> None:
    """Write them to `path`, to the same bytes for the same images."""
    lengths = [len(sheet) for sheet in images.sheets]
    with path.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            data=np.frombuffer(b"".join(images.sheets), dtype=np.uint8),
            offsets=np.cumsum([0, *lengths], dtype=np.int64),
            ids=np.array([one.encode() for one in images.ids], dtype=np.bytes_),
            labels=images.labels.astype(np.uint16),
            grid=np.array([images.grid.tile_px, images.grid.columns, images.grid.rows]),
        )


def read_test_images(path: Path) -> TestImages:
    """The test images in `path`. Raises InvalidTestImages where the file holds none."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            data, offsets = arrays["data"], arrays["offsets"].tolist()
            sheets = [data[start:end].tobytes() for start, end in pairwise(offsets)]
            tile_px, columns, rows = arrays["grid"].tolist()
            found = TestImages(
                ids=tuple(one.decode() for one in arrays["ids"].tolist()),
                labels=arrays["labels"].astype(np.int64),
                grid=Grid(tile_px, columns, rows),
                sheets=tuple(sheets),
            )
    except _READ as error:
        raise InvalidTestImages(str(error)) from error
    needed = -(-len(found) // max(1, found.grid.per_sheet))
    if found.labels.shape != (len(found),) or len(found.sheets) != needed:
        raise InvalidTestImages("its images, labels and sheets do not belong together")
    return found
