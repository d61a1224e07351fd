"""WebP: how large, and its first frame."""

import struct
from collections.abc import Iterator

from models.errors import UndecodableImage
from models.first_frame import Size, Still

_CHUNK = struct.Struct("<4sI")
_HEAD = 12
_CONTENT = _HEAD + _CHUNK.size  # of the first chunk
_CHUNKS_MAX = 1024  # up to the pixels
_PIXELS = frozenset({b"VP8 ", b"VP8L", b"ANMF"})
_NEEDED = _PIXELS | {b"VP8X", b"ALPH", b"ANIM"}
_ANIMATED, _ALPHA = 0x02, 0x10
_LOSSLESS_ALPHA = 1 << 28
_ALPHA_WEIGHT = 2.0  # a second picture is decoded, and the two are composited


def read_size(data: bytes) -> Size:
    """The size of the canvas. Raises UndecodableImage."""
    kind, head = data[_HEAD : _HEAD + 4], data[_CONTENT : _CONTENT + 10]
    if len(head) == 10 and kind == b"VP8X":
        return Size(1 + _number(head[4:7]), 1 + _number(head[7:10]), _weight(head[0] & _ALPHA))
    if len(head) == 10 and kind == b"VP8 ":
        return Size(_number(head[6:8]) & 0x3FFF, _number(head[8:10]) & 0x3FFF)
    if len(head) >= 5 and kind == b"VP8L":
        bits = _number(head[1:5])
        weight = _weight(bits & _LOSSLESS_ALPHA)
        return Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), weight)
    raise UndecodableImage("the WebP does not say how large it is")


def take_still(data: bytes) -> Still:
    """The first frame, without profiles and further frames. Raises UndecodableImage."""
    parts, is_found = [], False
    exif = xmp = b""
    for kind, place, end in _chunks(data):
        if kind in _NEEDED and not is_found:
            parts.append(_flagged(data[place:end]) if kind == b"VP8X" else data[place:end])
            is_found = kind in _PIXELS
        elif kind == b"EXIF":
            exif = exif or data[place + _CHUNK.size : end]
        elif kind == b"XMP ":
            xmp = xmp or data[place + _CHUNK.size : end]
    body = b"WEBP" + b"".join(parts)
    return Still(_CHUNK.pack(b"RIFF", len(body)) + body, exif, xmp)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of each chunk, whatever the file says of its own length."""
    place = _HEAD
    for _ in range(_CHUNKS_MAX):
        if place + _CHUNK.size > len(data):
            return
        kind, length = _CHUNK.unpack_from(data, place)
        end = place + _CHUNK.size + length + length % 2
        yield kind, place, end
        place = end
    # further ones are frames of an animation, behind the first


def _flagged(extended: bytes) -> bytes:
    """The chunk that says what there is, of what is left."""
    at = _CHUNK.size
    return extended[:at] + bytes([extended[at] & (_ANIMATED | _ALPHA)]) + extended[at + 1 :]


def _weight(has_alpha: int) -> float:
    return _ALPHA_WEIGHT if has_alpha else 1.0


def _number(little_endian: bytes) -> int:
    return int.from_bytes(little_endian, "little")
