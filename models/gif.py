"""GIF: how large, and its first frame."""

import struct

from models.errors import UndecodableImage
from models.first_frame import Size, Still

_SCREEN = struct.Struct("<HHB")
_FRAME = struct.Struct("<HHHHB")
_HEAD = 13
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL = 0xF9
_HAS_TABLE = 0x80
_EXTENSIONS_MAX = 64  # before the first frame
_BLOCKS_MAX = 4096  # of one extension
_XMP = b"\x0bXMP DataXMP"
_MOST_PIXELS_PER_BYTE = 2752  # a code of 12 bits stands for up to 4,096 pixels


def read_size(data: bytes) -> Size:
    """The size that the first frame and the screen have together. Raises UndecodableImage."""
    width, height, _ = _screen(data)
    place, _, _ = _first_frame(data)
    left, top, across, down, _ = _frame(data, place)
    return Size(max(width, left + across), max(height, top + down))


def take_still(data: bytes) -> Still:
    """The first frame, without comments and profiles. Raises UndecodableImage."""
    place, control, xmp = _first_frame(data)
    _, _, across, down, flags = _frame(data, place)
    if across * down > _MOST_PIXELS_PER_BYTE * (len(data) - place):
        raise UndecodableImage(
            f"the GIF is not complete: {len(data):,} bytes cannot hold {across} x {down} pixels"
        )
    pixels = place + 1 + _FRAME.size + _table_bytes(flags)
    end = _behind_blocks(data, pixels + 1, len(data))
    tables = _HEAD + _table_bytes(_screen(data)[2])
    return Still(data[:tables] + control + data[place:end] + bytes([_TRAILER]), xmp=xmp)


def _screen(data: bytes) -> tuple[int, int, int]:
    try:
        width, height, flags = _SCREEN.unpack_from(data, 6)
    except struct.error:
        raise UndecodableImage("the GIF ends in its header") from None
    return width, height, flags


def _frame(data: bytes, place: int) -> tuple[int, int, int, int, int]:
    try:
        left, top, width, height, flags = _FRAME.unpack_from(data, place + 1)
    except struct.error:
        raise UndecodableImage("the GIF ends before its pixels") from None
    return left, top, width, height, flags


def _table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & _HAS_TABLE else 0


def _first_frame(data: bytes) -> tuple[int, bytes, bytes]:
    """Find the first frame, the extension that controls it, and the XMP before it."""
    place = _HEAD + _table_bytes(_screen(data)[2])
    control = xmp = b""
    for _ in range(_EXTENSIONS_MAX):
        kind = data[place] if place < len(data) else _TRAILER
        if kind == _IMAGE:
            return place, control, xmp
        if kind != _EXTENSION:
            raise UndecodableImage("the GIF is not complete: it has no pixels")
        end = _behind_blocks(data, place + 2, _BLOCKS_MAX)
        if data[place + 1 : place + 2] == bytes([_CONTROL]):
            control = data[place:end]
        elif data.startswith(_XMP, place + 2):
            xmp = data[place:end]
        place = end
    raise UndecodableImage(f"the GIF has more than {_EXTENSIONS_MAX} extensions before its pixels")


def _behind_blocks(data: bytes, place: int, most: int) -> int:
    """Find the end of a chain of blocks, which may be where the data ends."""
    for _ in range(most):
        if place >= len(data):
            return len(data)
        length = data[place]
        place += 1 + length
        if not length:
            return place
    raise UndecodableImage(f"the GIF has more than {most:,} blocks before its pixels")
