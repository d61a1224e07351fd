"""BMP: how large, and its pixels without run-length coding, which Pillow undoes one by one."""

import struct

import numpy as np

from models.errors import UndecodableImage
from models.first_frame import Size, Still

_OLD_HEADER = 12
_INFO = struct.Struct("<iiHHI")  # width, height, planes, bits, compression
_FILE = 14
_RAW, _RLE8, _RLE4 = 0, 1, 2
_UNREAD = {4: "a BMP with a JPEG inside", 5: "a BMP with a PNG inside"}
_BITS = {_RLE8: 8, _RLE4: 4}
_INFO_HEADER, _COLORS = 40, 256
_END_OF_LINE, _END_OF_PICTURE, _SKIP = 0, 1, 2


def read_size(data: bytes) -> Size:
    """Raises UndecodableImage."""
    width, height, _, _ = _info(data)
    return Size(width, abs(height))


def take_still(data: bytes) -> Still:
    """Raises UndecodableImage."""
    width, height, bits, compression = _info(data)
    if compression in _UNREAD:
        raise UndecodableImage(f"{_UNREAD[compression]} is not read; send that itself")
    if compression not in _BITS:
        return Still(data)
    if bits != _BITS[compression] or height < 0:
        raise UndecodableImage(f"a run-length coded BMP of {bits} bits and {height} rows")
    (start,) = struct.unpack_from("<I", data, 10)
    size = Size(width, height)
    return Still(_unpacked(data, size, _Runs(data, start, size, bits).read()))


def _info(data: bytes) -> tuple[int, int, int, int]:
    """Width, height (less than 0 from the top down), bits of a pixel, compression."""
    try:
        (length,) = struct.unpack_from("<I", data, _FILE)
        if length == _OLD_HEADER:
            width, height, _, bits = struct.unpack_from("<HHHH", data, _FILE + 4)
            return width, height, bits, _RAW
        width, height, _, bits, compression = _INFO.unpack_from(data, _FILE + 4)
    except struct.error:
        raise UndecodableImage("the BMP ends in its header") from None
    if width < 1 or height == 0:
        raise UndecodableImage(f"a BMP of {width} x {height} pixels")
    return width, height, bits, compression


def _unpacked(data: bytes, size: Size, rows: bytearray) -> bytes:
    """The same picture with a byte for each pixel, from the bottom up."""
    (length,) = struct.unpack_from("<I", data, _FILE)
    (used,) = struct.unpack_from("<I", data, _FILE + 32)
    start = _FILE + length
    palette = data[start : start + 4 * min(used or _COLORS, _COLORS)].ljust(4 * _COLORS, b"\0")
    width, height, _ = size
    lines = np.frombuffer(rows, np.uint8).reshape(height, width)
    body = np.pad(lines, ((0, 0), (0, -width % 4))).tobytes()
    info = _INFO.pack(width, height, 1, 8, _RAW) + bytes(20)
    head = struct.pack("<4xII", 0, _FILE + _INFO_HEADER + len(palette))
    return b"BM" + head + struct.pack("<I", _INFO_HEADER) + info + palette + body


class _Runs:
    """Run-length coded rows of 8 or 4 bits a pixel. Skipped pixels are 0."""

    def __init__(self, data: bytes, start: int, size: Size, bits: int) -> None:
        self._data = data
        self._place = start
        self._width, self._height, _ = size
        self._is_short = bits == _BITS[_RLE4]  # two pixels in a byte
        self._x = self._y = 0
        self._rows = bytearray(size.pixels)

    def read(self) -> bytearray:
        """A byte for each pixel. Raises UndecodableImage where the data ends before them."""
        while not self._is_full:
            count, value = self._take(2)
            if count:
                self._put(self._run(count, value))
            elif value == _END_OF_PICTURE:
                break
            else:
                self._escape(value)
        return self._rows

    @property
    def _is_full(self) -> bool:
        at_end = self._y == self._height - 1 and self._x >= self._width
        return at_end or self._y >= self._height

    def _take(self, count: int) -> bytes:
        taken = self._data[self._place : self._place + count]
        if len(taken) < count:
            raise UndecodableImage("the BMP is not complete: its pixel data ends early")
        self._place += count
        return taken

    def _escape(self, value: int) -> None:
        if value == _END_OF_LINE:
            self._x, self._y = 0, self._y + 1
        elif value == _SKIP:
            right, up = self._take(2)
            self._x, self._y = self._x + right, self._y + up
        else:
            taken = self._take((value + 1) // 2 if self._is_short else value)
            self._place += len(taken) % 2
            self._put(self._spread(taken)[:value])

    def _run(self, count: int, value: int) -> bytes:
        one = bytes([value])
        return (self._spread(one) * -(-count // 2))[:count] if self._is_short else one * count

    def _spread(self, packed: bytes) -> bytes:
        if not self._is_short:
            return packed
        return bytes(half for one in packed for half in (one >> 4, one & 0xF))

    def _put(self, pixels: bytes) -> None:
        count = max(0, min(len(pixels), self._width - self._x))
        at = self._y * self._width + self._x
        self._rows[at : at + count] = pixels[:count]
        self._x += count
