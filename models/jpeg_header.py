"""The head of a JPEG, before its pixels, and the part of it that a decoder needs.

Only this module walks over segments. A decoder never sees metadata of a size that could cost time.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from models.errors import UndecodableImage

_SEGMENT = struct.Struct(">BBH")  # 0xFF, the kind, and the length of what follows
_FRAME = struct.Struct(">BHHB")  # precision, height, width, components
_BITS = 8
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")  # of a segment
_BARE = frozenset({0x00, 0x01, 0xFF, *range(0xD0, 0xD9)})  # no segment begins with them
_SEGMENTS_MAX = 2048  # before the pixels; 64 MiB of metadata make 1,024
_FILL, _APP0, _APP1, _APP14 = 0xFF, 0xE0, 0xE1, 0xEE
_DHT, _DQT, _DRI, _EOI, _SOS = 0xC4, 0xDB, 0xDD, 0xD9, 0xDA
_PROGRESSIVE = 0xC2
_READ = (0xC0, 0xC1, _PROGRESSIVE)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC}
_NEEDED = frozenset({_DHT, _DQT, _DRI})
_JFIF, _ADOBE, _EXIF, _XMP = b"JFIF\0", b"Adobe", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_END = b"\xff\xd9"
_RESTARTS = tuple(bytes((0xFF, kind)) for kind in range(0xD0, 0xD8))
_JFIF_SEGMENT = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
_SUBSAMPLINGS = {0x11: "444", 0x21: "422", 0x22: "420", 0x12: "440", 0x41: "411", 0x14: "441"}
# What may stand before the pixels of a JPEG that is decoded between other requests.
_BRIEF_BYTES = 96 * 1024
_BRIEF_SEGMENTS = 64

_UNREAD = {
    0xC3: "a lossless JPEG",
    0xC5: "a hierarchical JPEG",
    0xC6: "a hierarchical JPEG",
    0xC7: "a lossless, hierarchical JPEG",
    0xC9: "an arithmetic-coded JPEG",
    0xCA: "an arithmetic-coded JPEG",
    0xCB: "a lossless, arithmetic-coded JPEG",
    0xCD: "a hierarchical, arithmetic-coded JPEG",
    0xCE: "a hierarchical, arithmetic-coded JPEG",
    0xCF: "a lossless, hierarchical, arithmetic-coded JPEG",
}
_WAY_OUT = "save it as a baseline or progressive JPEG with 8 bits for each color"


class Header(NamedTuple):
    """The head of a JPEG, before its pixels."""

    width: int
    height: int
    subsampling: str  # "Gray", "444", "420" ...; "" where it has no name
    tagged: bool  # EXIF or XMP, which may say how to turn it
    components: bytes = b"\1\2\3"
    scan: int = 0  # where the first scan begins
    is_progressive: bool = False
    in_one_scan: bool = True  # sequential, all components together
    is_plain: bool = True  # YCbCr or gray
    is_brief: bool = True  # not much stands before the pixels, and nothing odd

    @property
    def pixels(self) -> int:
        """Count the pixels."""
        return self.width * self.height


def read_header(data: bytes) -> Header | None:
    """The header of a JPEG; None for anything else.

    Raises UndecodableImage for a kind of JPEG that is not read, and where there are no pixels.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    found, is_brief = _walk(data)
    kind, place = _frame(found)
    try:
        precision, height, width, count = _FRAME.unpack_from(data, place + 4)
        described = data[place + 10 : place + 10 + 3 * count]
        scan = found[_SOS]
        scanned = data[scan + 4]
    except (struct.error, IndexError):
        raise UndecodableImage("the JPEG ends before its pixels") from None
    if precision != _BITS:
        raise UndecodableImage(f"a {precision}-bit JPEG is not read; {_WAY_OUT}")
    if not height or not width or count not in (1, 3, 4) or len(described) != 3 * count:
        raise UndecodableImage(f"a JPEG of {width} x {height} pixels in {count} components")
    subsampling = _subsampling(described)
    return Header(
        width,
        height,
        subsampling,
        _APP1 in found or not is_brief,
        described[::3],
        scan,
        kind == _PROGRESSIVE,
        kind != _PROGRESSIVE and scanned == count,
        count == 1 or (subsampling != "" and _is_ycc(data, found, described)),
        is_brief and scan < _BRIEF_BYTES,
    )


def read_tags(data: bytes) -> tuple[bytes, bytes]:
    """The first EXIF block and the first XMP block; empty where there is none."""
    exif = xmp = b""
    for kind, place, end in _segments(data):
        if kind == _APP1:
            content = data[place + 4 : end]
            if not exif and content.startswith(_EXIF):
                exif = content
            elif not xmp and content.startswith(_XMP):
                xmp = content
    return exif, xmp


def strip(data: bytes, header: Header) -> bytes:
    """The same picture without metadata, and without what stands between the segments."""
    parts = [data[:2]]
    for kind, place, end in _segments(data):
        if kind in _NEEDED or kind in _FRAMES:
            parts.append(data[place:end])
        elif kind == _APP0 and data.startswith(_JFIF, place + 4):
            parts.append(_JFIF_SEGMENT)
        elif kind == _APP14 and data.startswith(_ADOBE, place + 4):
            parts.append(data[place:end])
    return b"".join([*parts, data[header.scan :]])


def has_all_restarts(data: bytes, header: Header) -> bool:
    """Return whether a restart marker follows each interval but the last, where there are any."""
    interval, mcus = 0, 0
    for kind, place, end in _segments(data):
        if kind == _DRI:
            interval = int.from_bytes(data[place + 4 : place + 6], "big")
        elif kind in _READ:
            mcus = _count_mcus(data[place + 4 : end])
    if not interval:
        return True
    if not header.in_one_scan:
        return False
    pixels = data.partition(_END)[0]
    return sum(map(pixels.count, _RESTARTS)) >= -(-mcus // interval) - 1


def _count_mcus(frame: bytes) -> int:
    """Count the units of all components together in a scan."""
    height, width, count = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5]), frame[5]
    factors = frame[7 : 6 + 3 * count : 3] if count > 1 else b"\x11"
    across, down = (8 * max(one >> 4 for one in factors), 8 * max(one & 0xF for one in factors))
    return -(-width // across) * -(-height // down)


def _walk(data: bytes) -> tuple[dict[int, int], bool]:
    """Find the first segment of each kind, up to the pixels, and whether all are as usual."""
    found: dict[int, int] = {}
    is_usual, place, unpack = True, 2, _SEGMENT.unpack_from
    for step in range(_SEGMENTS_MAX):
        try:
            fill, kind, length = unpack(data, place)
        except struct.error:
            break
        if fill != _FILL or kind in _BARE:
            is_usual, place = False, _next(data, place)
            continue
        if kind not in found:
            found[kind] = place
        if kind == _SOS:
            return found, is_usual and step < _BRIEF_SEGMENTS
        if kind == _EOI:
            raise UndecodableImage("the JPEG is not complete: it has no pixels")
        place += 2 + length
    else:
        raise UndecodableImage(
            f"the JPEG has more than {_SEGMENTS_MAX:,} segments before its pixels; "
            "save it without its metadata"
        )
    raise UndecodableImage("the JPEG ends before its pixels")


def _next(data: bytes, place: int) -> int:
    """Find the next segment, from a place where none begins."""
    match = _MARKER.search(data, place)
    return len(data) if match is None else match.start()


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, beginning and end of each segment before the pixels, of what `_walk` went through."""
    place = 2
    while place + _SEGMENT.size <= len(data):
        fill, kind, length = _SEGMENT.unpack_from(data, place)
        if fill != _FILL or kind in _BARE:
            place = _next(data, place)
            continue
        if kind in (_SOS, _EOI):
            return
        yield kind, place, place + 2 + length
        place += 2 + length


def _frame(found: dict[int, int]) -> tuple[int, int]:
    for kind in _READ:
        if kind in found:
            return kind, found[kind]
    unread = next((_UNREAD[kind] for kind in found if kind in _UNREAD), None)
    if unread is None:
        raise UndecodableImage("the JPEG does not say how large it is")
    raise UndecodableImage(f"{unread} is not read; {_WAY_OUT}")


def _subsampling(described: bytes) -> str:
    """Of the descriptions of the components: three bytes each, the second one its sampling."""
    match tuple(described[1::3]):
        case [_]:
            return "Gray"
        case [luma, 0x11, 0x11]:
            return _SUBSAMPLINGS.get(luma, "")
    return ""


def _is_ycc(data: bytes, found: dict[int, int], described: bytes) -> bool:
    """Return whether the components are YCbCr, by libjpeg's rules."""
    if _APP0 in found and data.startswith(_JFIF, found[_APP0] + 4):
        return True
    if _APP14 in found and data.startswith(_ADOBE, found[_APP14] + 4):
        return data[found[_APP14] + 15 : found[_APP14] + 16] != b"\0"
    return described[::3] != b"RGB"
