"""HEVC as HEIC holds it: one picture, no larger than the file says.

Follows ITU-T H.265, sections 7.3.1 and 7.3.2, and ISO/IEC 14496-15 for what stands around it.
"""

from collections.abc import Iterator

from models.bits import Bits
from models.errors import UndecodableImage
from models.first_frame import Size

_SPS = 33
_PICTURES = range(32)  # kinds of unit that hold pixels
_WHOLE = range(16, 22)  # of these, the kinds that hang on no other picture
_UNITS_MAX = 4096  # of one picture; 600 slices are the most that a level has
_SETS_MAX = 64
_SPS_BYTES = 256  # which hold any up to what is read of it
_SIZES_AT = 21  # in hvcC: of the lengths
_ARRAYS_AT = 23
_PADDING = 64  # pixels that a block adds to a side
_CHROMA = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}  # pixels of one cropped step


def check_picture(configuration: bytes, data: bytes, size: Size) -> None:
    """Raise UndecodableImage unless `data` is one whole picture of that size."""
    sets, length_bytes = _read_configuration(configuration)
    units = list(_units(data, length_bytes))
    headers = [unit for unit in (*sets, *units) if _kind(unit) == _SPS]
    if not headers:
        raise UndecodableImage("the HEIC is damaged: its pixels have no header")
    for one in headers:
        _check_size(one, size)
    pictures = [unit for unit in units if _kind(unit) in _PICTURES]
    begun = sum(unit[2] >> 7 for unit in pictures if len(unit) > 2)
    if begun != 1 or any(_kind(unit) not in _WHOLE for unit in pictures):
        raise UndecodableImage(f"a HEIC has one whole picture, and this one's item has {begun}")


def _kind(unit: bytes) -> int:
    return unit[0] >> 1 & 0x3F if len(unit) > 1 else -1


def _read_configuration(content: bytes) -> tuple[list[bytes], int]:
    """The parameter sets of hvcC, and how many bytes the length of a unit has."""
    sets: list[bytes] = []
    place = _ARRAYS_AT
    try:
        for _ in range(content[_ARRAYS_AT - 1]):
            count = int.from_bytes(content[place + 1 : place + 3], "big")
            place += 3
            for _ in range(count):
                length = int.from_bytes(content[place : place + 2], "big")
                sets.append(content[place + 2 : place + 2 + length])
                place += 2 + length
                if place > len(content) or len(sets) > _SETS_MAX:
                    raise UndecodableImage("the HEIC is damaged: its parameter sets have no end")
        return sets, (content[_SIZES_AT] & 3) + 1
    except IndexError:
        raise UndecodableImage("the HEIC is damaged: its configuration is not complete") from None


def _units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    place = 0
    for _ in range(_UNITS_MAX):
        if place >= len(data):
            return
        begin = place + length_bytes
        place = begin + int.from_bytes(data[place:begin], "big")
        if place > len(data):
            raise UndecodableImage("the HEIC is not complete: its pixels end early")
        yield data[begin:place]
    raise UndecodableImage(f"the HEIC has more than {_UNITS_MAX:,} units")


def _check_size(unit: bytes, size: Size) -> None:
    whole, shown = _read_sizes(unit)
    padded = whole.width - size.width > _PADDING or whole.height - size.height > _PADDING
    if shown != size or padded:
        raise UndecodableImage(
            f"the HEIC is damaged: it says {size.width} x {size.height} pixels, and its content "
            f"{shown.width} x {shown.height} of {whole.width} x {whole.height}"
        )


def _read_sizes(unit: bytes) -> tuple[Size, Size]:
    """The size that is decoded, and the size that is shown of it."""
    bits = Bits(unit[2:_SPS_BYTES].replace(b"\0\0\3", b"\0\0"))
    bits.read(4)
    layers = bits.read(3)
    bits.read(1 + 96)
    present = [(bits.read(1), bits.read(1)) for _ in range(layers)]
    if layers:
        bits.read(2 * (8 - layers))
    for profile, level in present:
        bits.read(88 * profile + 8 * level)
    bits.read_golomb()
    chroma = bits.read_golomb()
    if chroma not in _CHROMA:
        raise UndecodableImage("the HEIC is damaged: its colors are of no kind")
    if chroma == 3:
        bits.read(1)
    width, height = bits.read_golomb(), bits.read_golomb()
    left = right = top = bottom = 0
    if bits.read(1):
        left, right, top, bottom = (bits.read_golomb() for _ in range(4))
    across, down = _CHROMA[chroma]
    shown = Size(width - across * (left + right), height - down * (top + bottom))
    return Size(width, height), shown
