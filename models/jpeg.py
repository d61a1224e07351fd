"""JPEG to pixels by libjpeg-turbo without Pillow around it: the same pixels in less time.

Pillow decodes only the few arrangements of colors for which simplejpeg has no name.
"""

from io import BytesIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from models.errors import UndecodableImage
from models.jpeg_header import Header, has_all_restarts, read_header, strip
from models.jpeg_scans import check_scans

__all__ = ["Header", "choose_step", "decode", "read_header"]

# Half scale gives the mean of 2 x 2 pixels for less work. That leaves an embedding as it is where
# at least this many pixels of the shorter side make one of the model's: see docs/performance.md.
# Chroma that a file halves in one direction only is halved again, and needs twice as many.
HALF_FROM = 15
HALF_FROM_UNEVEN = 30
_EVEN = ("444", "420", "Gray")

_END = b"\xff\xd9"
_CMYK = 4  # components
_BLOCK_PIXELS = 64
_BEHIND = b"\x55" * 64  # bytes that change a picture whose pixel data ends before them

# What libjpeg says of a file. It says only the first of several things.
_NO_END = "Premature end of JPEG file"
_NO_DATA = "premature end of data segment"
_PADDED = "extraneous bytes before marker 0xd9"
_UNNAMED = "subsampling"


def choose_step(header: Header, size_px: int) -> int:
    """Choose the pixels of the file for one decoded pixel in each direction: 1 or 2."""
    if not header.is_plain:
        return 1
    if header.tagged and (header.width | header.height) & 1:
        return 1  # else half a pixel at the end would come to the front when it is turned
    least = HALF_FROM if header.subsampling in _EVEN else HALF_FROM_UNEVEN
    return 2 if min(header.width, header.height) >= least * size_px else 1


def decode(data: bytes, header: Header, step: int) -> NDArray[np.uint8]:
    """The pixels as they are stored: RGB uint8 [ceil(height / step), ceil(width / step), 3].

    A step is 1, 2, 4 or 8. Raises UndecodableImage where pixels are missing or damaged; a missing
    end marker alone, or bytes before or behind it, are none of that.
    """
    _check_length(data, header)
    if not header.in_one_scan:
        check_scans(data, header)
    try:
        return _turbo(data, header, step)
    except ValueError as error:
        return _decode_odd(data, header, step, str(error))


def _turbo(data: bytes, header: Header, step: int, *, strict: bool = True) -> NDArray[np.uint8]:
    """Raises ValueError where there is anything to remark on and `strict` is set."""
    is_cmyk = len(header.components) == _CMYK
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data,
        "CMYK" if is_cmyk else "RGB",
        min_height=-(-header.height // step),
        min_width=-(-header.width // step),
        strict=strict,
    )
    if not is_cmyk:
        return pixels
    inverted = np.invert(pixels)  # as Adobe, and after it everybody, writes it
    return np.asarray(Image.fromarray(inverted, "CMYK").convert("RGB"))


def _decode_odd(data: bytes, header: Header, step: int, remark: str) -> NDArray[np.uint8]:
    """Decode what libjpeg remarked on, unless pixels are missing."""
    clean = strip(data, header)
    if remark == _NO_END:
        clean += _END
    try:
        return _turbo(clean, header, step)
    except ValueError as error:
        remark = str(error)
    if _UNNAMED in remark:
        return _by_pillow(clean, header, step)
    if _PADDED in remark and has_all_restarts(clean, header):
        return _turbo(clean, header, step, strict=False)
    if _NO_DATA in remark:
        raise UndecodableImage("the JPEG is not complete: its pixel data ends early")
    raise UndecodableImage(f"the JPEG is damaged: {remark}")


def _check_length(data: bytes, header: Header) -> None:
    """Refuse a header that promises more than the bytes can hold: a block takes 1 or 2 bits."""
    bits = 1 if header.is_progressive else 2
    if header.pixels * bits > (len(data) - header.scan) * 8 * _BLOCK_PIXELS:
        raise UndecodableImage(
            f"the JPEG is not complete: {len(data):,} bytes cannot hold "
            f"{header.width} x {header.height} pixels"
        )


def _by_pillow(data: bytes, header: Header, step: int) -> NDArray[np.uint8]:
    """The same by Pillow, which says nothing where pixels are missing: then more data matters."""
    end = data.find(_END)
    whole = data if end < 0 else data[:end]
    pixels, again = (_pillow(whole + more + _END, header, step) for more in (b"", _BEHIND))
    if not np.array_equal(pixels, again):
        raise UndecodableImage("the JPEG is not complete: its pixel data ends early")
    return pixels


def _pillow(data: bytes, header: Header, step: int) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        image.draft(None, (-(-header.width // step), -(-header.height // step)))
        return np.asarray(image.convert("RGB"))
