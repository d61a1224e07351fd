"""JPEG to pixels by libjpeg-turbo without Pillow around it: the same pixels in less time.

Whatever is not plain is None here, and Pillow decides: damaged files, CMYK, and all that only one
of the two can read.
"""

import struct
from typing import NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray

# Half scale gives the mean of 2 x 2 pixels for less work. That leaves an embedding as it is where
# at least this many pixels of the shorter side make one of the model's: see docs/performance.md.
# Chroma that a file halves in one direction only is halved again, and needs twice as many.
HALF_FROM = 15
HALF_FROM_UNEVEN = 30
_EVEN = ("444", "420", "Gray")

_SEGMENT = struct.Struct(">BBH")  # 0xFF, what it is, and the length of what follows
_SEGMENTS_MAX = 64
_FILL, _APP1, _SCAN = 0xFF, 0xE1, 0xDA


class Header(NamedTuple):
    """What stands before the pixels of a plain JPEG."""

    width: int
    height: int
    subsampling: str
    tagged: bool  # EXIF or XMP, which may say how to turn it

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height


def read_header(data: bytes) -> Header | None:
    """The header of a YCbCr or grey JPEG; None for anything else."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        height, width, space, subsampling = simplejpeg.decode_jpeg_header(data)
    except (ValueError, KeyError):  # KeyError: an arrangement that simplejpeg has no name for
        return None
    if space not in ("YCbCr", "Gray"):
        return None
    return Header(int(width), int(height), str(subsampling), _is_tagged(data))


def choose_step(header: Header, size_px: int) -> int:
    """How many pixels of the file one decoded pixel may be in each direction: 1 or 2."""
    if header.tagged and (header.width | header.height) & 1:
        return 1  # else half a pixel at the end would come to the front when it is turned
    least = HALF_FROM if header.subsampling in _EVEN else HALF_FROM_UNEVEN
    return 2 if min(header.width, header.height) >= least * size_px else 1


def decode(data: bytes, header: Header, step: int) -> NDArray[np.uint8] | None:
    """The pixels as they are stored: RGB uint8 [ceil(height / step), ceil(width / step), 3].

    None where the decoder has anything to remark on, such as a missing end.
    """
    height, width = -(-header.height // step), -(-header.width // step)
    try:
        pixels = simplejpeg.decode_jpeg(data, min_height=height, min_width=width)
    except ValueError:
        return None
    return np.asarray(pixels, np.uint8)


def _is_tagged(data: bytes) -> bool:
    """Whether there is an APP1 segment, or anything odd behind which there might be one."""
    place = 2
    for _ in range(_SEGMENTS_MAX):
        if place + _SEGMENT.size > len(data):
            return True
        fill, kind, length = _SEGMENT.unpack_from(data, place)
        if kind == _SCAN:
            return False
        if fill != _FILL or kind in (_FILL, _APP1):
            return True
        place += 2 + length
    return True
