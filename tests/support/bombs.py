"""Files that are made to cost much: each about as large as asked, of every format."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache

from PIL import Image

from models.boxes import box, full_box
from tests.support.pictures import encode, jpeg_segment, photo, png_chunk

SIDE = 7000  # pixels: as large as an image may be
Maker = Callable[[int, int], bytes]  # of bytes, about, and of pixels on a side
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def bomb(name: str, size: int, side: int = SIDE) -> bytes:
    """About so many bytes, made once for all tests of a process."""
    return _made(name, size, side)


@cache
def _made(name: str, size: int, side: int) -> bytes:
    return BOMBS[name](size, side)


def _blank(kind: str, mode: str = "RGB", **options: object) -> Maker:
    return lambda size, side: encode(Image.new(mode, (side, side)), kind, **options)


def _headed(segment: bytes) -> Maker:
    def make(size: int, side: int) -> bytes:
        data = encode(photo(size=(64, 64)), "JPEG")
        return data[:2] + segment * (size // len(segment)) + data[2:]

    return make


def _scanned(mode: str, divisor: int = 1) -> Maker:
    blank = _blank("JPEG", mode, progressive=True)

    def make(size: int, side: int) -> bytes:
        data = blank(size, side // divisor)
        last = data[data.rindex(b"\xff\xda") : -2]
        return data[:-2] + last * (max(0, size - len(data)) // len(last)) + data[-2:]

    return make


def _chunked(kind: bytes, content: bytes, *, inside: bool = False) -> Maker:
    def make(size: int, side: int) -> bytes:
        chunk = png_chunk(kind, content)
        data = encode(photo(size=(64, 64)), "PNG")
        at = data.index(b"IEND") - 4 if inside else 33
        return data[:at] + chunk * (size // len(chunk)) + data[at:]

    return make


def _framed(kind: str) -> Maker:
    def make(size: int, side: int) -> bytes:
        chance = random.Random(0)
        frames = [
            Image.frombytes("L", (64, 64), chance.randbytes(64 * 64)).convert("RGB")
            for _ in range(min(200, size // (64 * 64) + 2))
        ]
        return encode(frames[0], kind, save_all=True, append_images=frames[1:])

    return make


def _commented(size: int, side: int) -> bytes:
    data = encode(photo(size=(64, 64)), "GIF")
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:start] + b"\x21\xfe" + b"\1a" * (size // 2) + b"\0" + data[start:]


def _tiny_blocks(size: int, side: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6)
    frame = struct.pack("<BHHHHBB", 0x2C, 0, 0, side, side, 0, 2)
    return head + frame + b"\1\x84" * (size // 2) + b"\0;"


def _run_lengths(codes: bytes, bits: int = 8) -> Maker:
    def make(size: int, side: int) -> bytes:
        held = codes * (size // len(codes)) + b"\0\1"
        info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, bits, 3 - bits // 4, 0, 0, 0, 16, 0)
        return b"BM" + struct.pack("<IHHI", 0, 0, 0, 118) + info + bytes(64) + held

    return make


def _deep_noise(kind: str, **options: object) -> Maker:
    def make(size: int, side: int) -> bytes:
        across = int((size / 3) ** 0.5)
        pixels = random.Random(0).randbytes(3 * across * across)
        noise = Image.frombytes("RGB", (across, across), pixels)
        return encode(noise, kind, **options)

    return make


def _interlaced(size: int, side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 1)
    rows = zlib.compress(bytes(side * side // 8 + 3 * side), 9)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return _SIGNATURE + b"".join(png_chunk(*chunk) for chunk in chunks)


def _thumbnailed(size: int, side: int) -> bytes:
    frames = [photo(size=(64, 64))] * 100
    with io.BytesIO() as file:
        frames[0].save(file, "MPO", save_all=True, append_images=frames[1:])
        return file.getvalue()


def _boxed(unit: bytes) -> Maker:
    def make(size: int, side: int) -> bytes:
        data = encode(photo(size=(64, 64)), "AVIF")
        return data[:32] + unit * (size // len(unit)) + data[32:]

    return make


def _tabled(size: int, side: int) -> bytes:
    """Tables as long as they may be, all of whose items have the same long property."""
    items, owned = range(1, 1025), 8
    kinds = b"".join(full_box(b"infe", 2, 0, struct.pack(">HH4s", n, 0, b"av01")) for n in items)
    owners = b"".join(struct.pack(">HB", n, owned) + b"\1" * owned for n in items)
    places = b"".join(struct.pack(">HHH", n, 0, 4) + bytes(32) for n in items)
    tiles = struct.pack(">HH", 2000, 1024) + b"".join(struct.pack(">H", n) for n in items)
    properties = box(b"ipco", full_box(b"ispe", 0, 0, struct.pack(">II", 64, 64), bytes(size)))
    meta = full_box(
        b"meta",
        0,
        0,
        full_box(b"pitm", 0, 0, struct.pack(">H", 1)),
        full_box(b"iloc", 0, 0, struct.pack(">BBH", 0x44, 0, 1024), places),
        full_box(b"iinf", 0, 0, struct.pack(">H", 1024), kinds),
        full_box(b"iref", 0, 0, *[box(b"auxl", tiles)] * 3),
        box(b"iprp", properties, full_box(b"ipma", 0, 0, struct.pack(">I", 1024), owners)),
    )
    return box(b"ftyp", b"avif", bytes(4), b"mif1") + meta


_PACKED = zlib.compress(bytes(1024 * 1024), 9)
BOMBS: Mapping[str, Maker] = {
    "jpeg scans": _scanned("L"),
    "jpeg scans small": _scanned("RGB", 7),
    "jpeg exif": _headed(jpeg_segment(0xE1, b"Exif\0\0" + bytes(60))),
    "jpeg exif large": _headed(jpeg_segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + b"\xff" * 65000)),
    "jpeg xmp": _headed(jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<" * 65000)),
    "jpeg icc": _headed(jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + b"x" * 50)),
    "jpeg mpf": _headed(jpeg_segment(0xE2, b"MPF\0MM\0*\0\0\0\x08" + bytes(50))),
    "jpeg photoshop": _headed(jpeg_segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4" * 9000)),
    "jpeg comments": _headed(jpeg_segment(0xFE, b"")),
    "jpeg tables": _headed(jpeg_segment(0xDB, b"\0" + bytes(range(1, 65)))),
    "jpeg fill": _headed(b"\xff"),
    "jpeg junk": _headed(b"\0"),
    "jpeg restarts": _deep_noise("JPEG", restart_marker_blocks=1),
    "jpeg noise": _deep_noise("JPEG", quality=100, subsampling=0),
    "jpeg progressive noise": _deep_noise("JPEG", progressive=True, quality=100),
    "jpeg mpo": _thumbnailed,
    "jpeg cmyk": _blank("JPEG", "CMYK"),
    "png empty pixels": _chunked(b"IDAT", b"", inside=True),
    "png text": _chunked(b"tEXt", b"k\0v"),
    "png zipped text": _chunked(b"zTXt", b"k\0\0" + _PACKED),
    "png international text": _chunked(b"iTXt", b"k\0\1\0\0\0" + _PACKED),
    "png xmp": _chunked(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _PACKED),
    "png raw exif": _chunked(b"zTXt", b"Raw profile type exif\0\0" + _PACKED),
    "png profile": _chunked(b"iCCP", b"k\0\0" + _PACKED),
    "png exif": _chunked(b"eXIf", b"MM\0*\0\0\0\x08" + b"\xff" * 65000),
    "png 1 bit": _blank("PNG", "1"),
    "png gray alpha": _blank("PNG", "LA"),
    "png alpha": _blank("PNG", "RGBA"),
    "png 16 bit": _blank("PNG", "I;16"),
    "png interlaced": _interlaced,
    "png noise": _deep_noise("PNG"),
    "png frames": _framed("PNG"),
    "gif blank": _blank("GIF", "L"),
    "gif frames": _framed("GIF"),
    "gif comment": _commented,
    "gif tiny blocks": _tiny_blocks,
    "webp blank": _blank("WEBP", lossless=True, method=0),
    "webp alpha": _blank("WEBP", "RGBA", method=0),
    "webp noise": _deep_noise("WEBP", lossless=True, method=0),
    "webp frames": _framed("WEBP"),
    "avif alpha": _blank("AVIF", "RGBA", speed=10, subsampling="4:4:4"),
    "avif noise": _deep_noise("AVIF", speed=10, quality=100, subsampling="4:4:4"),
    "avif boxes": _boxed(b"\0\0\0\x08free"),
    "avif tables": _tabled,
    "bmp 1 bit": _blank("BMP", "1"),
    "bmp line ends": _run_lengths(b"\1\1\0\0"),
    "bmp single runs": _run_lengths(b"\1\1"),
    "bmp long runs": _run_lengths(b"\xff\x11", bits=4),
    "bmp literals": _run_lengths(b"\0\xff" + bytes(range(256)), bits=8),
    "bmp short literals": _run_lengths(b"\0\xff" + bytes(range(128)), bits=4),
    "bmp skips": _run_lengths(b"\0\2\0\1"),
}
