"""The scans of a JPEG, complete and counted: each costs a pass over the picture."""

import re

from models.errors import UndecodableImage
from models.jpeg_header import Header

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_EOI, _SOS = 0xD9, 0xDA
_COEFFICIENTS = 64
_NEVER = 0xFF
# Encoders write 10 scans, and those that seek the smallest file fewer than 30.
_SCANS_MAX = 64
_SEGMENTS_MAX = 1024
# A scan takes 0.7 to 1 ns for each pixel however few bytes it has.
_PASSED_PIXELS_MAX = 1_500_000_000


def count_scans(data: bytes, header: Header) -> int:
    """No less than the number of scans; 1 where all is in one."""
    return 1 if header.in_one_scan else data.count(b"\xff\xda", header.scan)


def check_scans(data: bytes, header: Header) -> None:
    """Raise UndecodableImage where scans are missing, or where there are too many."""
    if header.in_one_scan:
        return
    sent = {component: bytearray([_NEVER] * _COEFFICIENTS) for component in header.components}
    place, scans = header.scan, 0
    for _ in range(_SEGMENTS_MAX):
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if kind == _SOS:
            scans += 1
            _check_cost(scans, header)
            _note(data[place + 4 : place + 2 + length], sent, is_progressive=header.is_progressive)
        match = _MARKER.search(data, place + 2 + length)
        if match is None or data[match.start() + 1] == _EOI:
            break
        place = match.start()
    else:
        raise UndecodableImage(f"the JPEG has more than {_SEGMENTS_MAX:,} segments in its pixels")
    if any(map(any, sent.values())):
        raise UndecodableImage("the JPEG is not complete: some of its scans are missing")


def _check_cost(scans: int, header: Header) -> None:
    if scans > _SCANS_MAX or scans * header.pixels > _PASSED_PIXELS_MAX:
        raise UndecodableImage(
            f"the JPEG has more than {scans - 1} scans of {header.pixels:,} pixels; "
            "save it as a baseline JPEG"
        )


def _note(scan: bytes, sent: dict[int, bytearray], *, is_progressive: bool) -> None:
    """Note up to which bit a scan sends its coefficients."""
    count = scan[0] if scan else 0
    if len(scan) < 4 + 2 * count:
        return
    first, last, bits = scan[1 + 2 * count : 4 + 2 * count]
    if not is_progressive:
        first, last, bits = 0, _COEFFICIENTS - 1, 0
    for component in scan[1 : 1 + 2 * count : 2]:
        if component in sent and first <= last < _COEFFICIENTS:
            sent[component][first : last + 1] = bytes([bits & 0xF] * (last + 1 - first))
