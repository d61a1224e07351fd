"""PNG: how large, and the chunks that make its pixels."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from models.errors import UndecodableImage
from models.first_frame import Size, Still

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
_CHUNKS_MAX = 65_536  # 32 MiB in parts of 8 KiB, as encoders write them, are 4,096
_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS"})
_CHECK_BYTES = 4  # at the end of a chunk
_XMP, _RAW_EXIF = b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"
_TEXT_BYTES = 1024 * 1024  # of a text, unpacked
_PIECE_BYTES = 1024 * 1024  # unpacked at once, to count them
_FACTS = struct.Struct(">IIBBBBB")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MOST_BITS = 64  # of one pixel
_BITS_OF_WEIGHT = 12  # of one pixel: each byte is unpacked, unfiltered and converted
_PASSES = (  # first column and row of each, and the steps from there
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def read_size(data: bytes) -> Size:
    """Raises UndecodableImage."""
    if data[12:16] == b"CgBI":
        raise UndecodableImage("a PNG of an iOS application (CgBI) is not read; save it as PNG")
    try:
        width, height, depth, color, *_ = _FACTS.unpack_from(data, 16)
    except struct.error:
        raise UndecodableImage("the PNG ends in its header") from None
    bits = min(depth * _CHANNELS.get(color, 1), _MOST_BITS)
    return Size(width, height, max(1.0, bits / _BITS_OF_WEIGHT))


def take_still(data: bytes) -> Still:
    """The picture without animation, text or profiles. Raises UndecodableImage."""
    needed, pixels = [], []
    exif = xmp = b""
    raw: tuple[bytes, bytes] | None = None
    for kind, place, end in _chunks(data):
        if kind == b"IDAT":
            pixels.append(data[place:end])
        elif kind in _NEEDED:
            needed.append(data[place:end])
        elif kind == b"eXIf":
            exif = exif or data[place + 8 : end - _CHECK_BYTES]
        elif kind == b"iTXt" and data.startswith(_XMP, place + 8):
            xmp = xmp or data[place + 8 : end]
        elif kind in (b"tEXt", b"zTXt") and data.startswith(_RAW_EXIF, place + 8):
            raw = raw or (kind, data[place + 8 + len(_RAW_EXIF) : end - _CHECK_BYTES])
    if raw is not None and not exif:
        exif = _raw_exif(*raw)
    return Still(b"".join([SIGNATURE, *needed, *pixels, _chunk(b"IEND", b"")]), exif, xmp)


def check_rows(data: bytes, image: Image.Image) -> None:
    """Raise UndecodableImage where a decoded picture lacks rows.

    Pillow says nothing of that where the compressed stream has an end. The rows are then 0, and
    only where the last one is (or rows come in passes) is the stream unpacked again and counted.
    """
    last = image.crop((0, image.height - 1, image.width, image.height))
    if not image.info.get("interlace") and last.getbbox(alpha_only=False) is not None:
        return
    width, height, depth, color, _, _, interlace = _FACTS.unpack_from(data, 16)
    bits = depth * _CHANNELS[color]
    passes = _PASSES if interlace else ((0, 0, 1, 1),)
    expected = sum(_pass_bytes(width, height, bits, one) for one in passes)
    if _unpacked_bytes(data, expected) < expected:
        raise UndecodableImage("the PNG is not complete: rows are missing")


def _pass_bytes(width: int, height: int, bits: int, one: tuple[int, int, int, int]) -> int:
    left, top, across, down = one
    columns, rows = -(-(width - left) // across), -(-(height - top) // down)
    return rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0


def _unpacked_bytes(data: bytes, most: int) -> int:
    stream, count = zlib.decompressobj(), 0
    for kind, place, end in _chunks(data):
        if kind != b"IDAT":
            continue
        packed = data[place + _CHUNK.size : end - _CHECK_BYTES]
        while packed and count < most and not stream.eof:
            count += len(stream.decompress(packed, _PIECE_BYTES))
            packed = stream.unconsumed_tail
    return count


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of each chunk up to IEND."""
    place = len(SIGNATURE)
    for _ in range(_CHUNKS_MAX):
        if place + _CHUNK.size > len(data):
            return
        length, kind = _CHUNK.unpack_from(data, place)
        if kind == b"IEND":
            return
        end = place + _CHUNK.size + length + _CHECK_BYTES
        yield kind, place, end
        place = end
    raise UndecodableImage(f"the PNG has more than {_CHUNKS_MAX:,} chunks")


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return _CHUNK.pack(len(content), kind) + content + check.to_bytes(_CHECK_BYTES, "big")


def _raw_exif(kind: bytes, text: bytes) -> bytes:
    """The EXIF block that ImageMagick writes as hexadecimal text behind three lines."""
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], _TEXT_BYTES)
        return bytes.fromhex(b"".join(text[:_TEXT_BYTES].split(b"\n")[3:]).decode("ascii"))
    except (ValueError, zlib.error):  # a damaged block beside good pixels
        return b""
