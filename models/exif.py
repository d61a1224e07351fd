"""The orientation of a picture, from what its file says beside the pixels."""

import re
import struct

_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4  # types of a value
_ENTRIES_MAX = 1024  # of the first directory; cameras write fewer than 20
_XMP_BYTES = 1024 * 1024  # looked at
_PREFIX = b"Exif\0\0"
_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
UPRIGHT = 1


def read_orientation(exif: bytes, xmp: bytes = b"") -> int:
    """The orientation, 1 to 8; 1 where neither block has one that means something."""
    found = _from_exif(exif.removeprefix(_PREFIX))
    if found is None and (match := _IN_XMP.search(xmp, 0, _XMP_BYTES)):
        found = int(match[1])
    return found if found is not None and UPRIGHT <= found <= 8 else UPRIGHT


def _from_exif(tiff: bytes) -> int | None:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * min(count, _ENTRIES_MAX), 12):
            tag, kind, _ = struct.unpack_from(order + "HHI", tiff, place)
            if tag == _ORIENTATION and kind in (_SHORT, _LONG):
                (value,) = struct.unpack_from(order + (" HI"[kind - 2]), tiff, place + 8)
                return int(value)
    except struct.error:  # a damaged block beside good pixels
        pass
    return None
