"""AV1 as AVIF holds it: one picture, no larger than the file says.

Follows the AV1 Bitstream & Decoding Process Specification, sections 5.3, 5.5 and 5.9.
"""

from collections.abc import Iterator
from typing import NamedTuple

from models.bits import Bits
from models.errors import UndecodableImage
from models.first_frame import Size

_SEQUENCE, _FRAME_HEADER, _FRAME, _REDUNDANT, _TILE_LIST = 1, 3, 6, 7, 8
_UNITS_MAX = 4096  # of one picture: a tile group each, beside three
_HEADER_BYTES = 256  # which hold any sequence header up to what is read of it
_CONFIGURATION_BYTES = 4  # of av1C, before its units
_LENGTH_BYTES = 8  # of a unit's length, at most
_SELECT = 2  # a choice that each frame makes
_KEY = 0


class _Sequence(NamedTuple):
    """The facts of a sequence header."""

    size: Size
    reduced: bool  # of one picture, whose header says nothing of sizes
    time_bits: int  # of a frame's time; 0 where it has none
    id_bits: int
    screen: int  # whether frames have tools for screen content: 0, 1 or each says so
    integer: int


def check_picture(configuration: bytes, data: bytes, size: Size) -> None:
    """Raise UndecodableImage unless `data` is one whole picture of that size."""
    units = list(_units(configuration[_CONFIGURATION_BYTES:]))
    before = len(units)
    units += _units(data)
    sequence: _Sequence | None = None
    frames = 0
    for place, (kind, content) in enumerate(units):
        if kind == _SEQUENCE:
            sequence = _read_sequence(content)
            _check_size(sequence.size, size)
        elif kind in (_FRAME_HEADER, _FRAME) and place >= before:
            frames += 1
            if sequence is None:
                raise UndecodableImage("the AVIF is damaged: pixels come before their header")
            _check_frame(content, sequence)
        elif kind in (_REDUNDANT, _TILE_LIST):
            raise UndecodableImage("an AVIF of layers is not read")
    if frames != 1:
        raise UndecodableImage(f"an AVIF has one picture, and this one's item has {frames}")


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and content of each unit (OBU)."""
    place = 0
    for _ in range(_UNITS_MAX):
        if place >= len(data):
            return
        first = data[place]
        place += 1 + (first >> 2 & 1)  # whether it has an extension
        length, place = _length(data, place) if first & 2 else (len(data) - place, place)
        if length < 0 or place + length > len(data):
            raise UndecodableImage("the AVIF is not complete: its pixels end early")
        yield first >> 3 & 15, data[place : place + length]
        place += length
    raise UndecodableImage(f"the AVIF has more than {_UNITS_MAX:,} units")


def _length(data: bytes, place: int) -> tuple[int, int]:
    """A number in groups of 7 bits (leb128), and where it ends."""
    value = 0
    for at, byte in enumerate(data[place : place + _LENGTH_BYTES]):
        value |= (byte & 0x7F) << (7 * at)
        if not byte & 0x80:
            return value, place + at + 1
    raise UndecodableImage("the AVIF is damaged: a length has no end")


def _read_sequence(content: bytes) -> _Sequence:
    bits = Bits(content[:_HEADER_BYTES])
    bits.read(3 + 1)  # profile, still picture
    reduced = bool(bits.read(1))
    time_bits = 0
    if reduced:
        bits.read(5)
    else:
        time_bits = _read_timing(bits)
    across, down = bits.read(4) + 1, bits.read(4) + 1
    size = Size(bits.read(across) + 1, bits.read(down) + 1)
    if reduced:
        return _Sequence(size, reduced, 0, 0, _SELECT, _SELECT)
    id_bits = bits.read(4) + bits.read(3) + 3 if bits.read(1) else 0
    bits.read(3 + 4)  # tools of blocks
    if bits.read(1):  # frames have an order
        bits.read(2)
    screen = _SELECT if bits.read(1) else bits.read(1)
    integer = _SELECT if not screen or bits.read(1) else bits.read(1)
    return _Sequence(size, reduced, time_bits, id_bits, screen, integer)


def _read_timing(bits: Bits) -> int:
    """Read on to the size. Returns how many bits a frame's time has."""
    delay_bits = time_bits = 0
    if bits.read(1):
        bits.read(64)
        regular = bits.read(1)
        if regular:
            bits.read_golomb()
        if bits.read(1):  # a model of the decoder
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5)
            time_bits = 0 if regular else bits.read(5) + 1
            if regular:
                bits.read(5)
    _skip_operating_points(bits, delay_bits)
    return time_bits


def _skip_operating_points(bits: Bits, delay_bits: int) -> None:
    has_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if has_delay and bits.read(1):
            bits.read(4)


def _check_frame(content: bytes, sequence: _Sequence) -> None:
    """Raise UndecodableImage where a frame's header is not that of a still of the whole size."""
    if sequence.reduced:
        return
    bits = Bits(content[:_HEADER_BYTES])
    again, kind, shown = bits.read(1), bits.read(2), bits.read(1)
    if again or kind != _KEY or not shown:
        raise UndecodableImage("the AVIF is damaged: its picture hangs on other ones")
    bits.read(sequence.time_bits)
    bits.read(1)
    screen = bits.read(1) if sequence.screen == _SELECT else sequence.screen
    if screen and sequence.integer == _SELECT:
        bits.read(1)
    bits.read(sequence.id_bits)
    if bits.read(1):
        raise UndecodableImage("the AVIF is damaged: its picture has a size of its own")


def _check_size(found: Size, size: Size) -> None:
    if found != size:
        raise UndecodableImage(
            f"the AVIF is damaged: it says {size.width} x {size.height} pixels, and its content "
            f"{found.width} x {found.height}"
        )
