"""Files of few bytes whose pixels take long to decode, of every format."""

import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache

from PIL import Image

from tests.support.pictures import encode, heic, png_chunk

SIDE = 1500
ROWS = SIDE * SIDE
_GRAIN = {"film-grain-test": "2"}  # of AV1: noise that the decoder makes
_PAETH = b"\4"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2))


@cache
def slow(name: str) -> bytes:
    """One of them, made once for all tests of a process."""
    return SLOW[name]()


def _png(depth: int, color: int, *, interlaced: bool = True) -> Callable[[], bytes]:
    def make() -> bytes:
        rows = b""
        for across, down in _PASSES if interlaced else ((1, 1),):
            columns, lines = -(-SIDE // across), -(-SIDE // down)
            rows += (_PAETH + bytes(-(-columns * depth * _CHANNELS[color] // 8))) * lines
        header = struct.pack(">IIBBBBB", SIDE, SIDE, depth, color, 0, 0, int(interlaced))
        palette = [(b"PLTE", bytes(768))] if color == 3 else []
        chunks = [(b"IHDR", header), *palette, (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)

    return make


def _blank(
    kind: str, mode: str, size: tuple[int, int] = (SIDE, SIDE), **options: object
) -> Callable[[], bytes]:
    return lambda: encode(Image.new(mode, size, 1), kind, **options)


def _empty_runs(width: int, height: int) -> Callable[[], bytes]:
    """A run-length coded BMP that ends before its first pixel: all are 0."""

    def make() -> bytes:
        info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, 0, 0, 0, 16, 0)
        return b"BM" + struct.pack("<IHHI", 0, 0, 0, 118) + info + bytes(64) + b"\0\1"

    return make


SLOW: Mapping[str, Callable[[], bytes]] = {
    **{
        f"png {depth} bit, color {color}": _png(depth, color)
        for depth, color in ((1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 4), (16, 4), (8, 6))
    },
    "png 16 bit alpha": _png(16, 6),
    "png 16 bit alpha, in order": _png(16, 6, interlaced=False),
    "png palette": _png(8, 3),
    "png one pixel wide": _blank("PNG", "L", (1, ROWS)),
    "png one pixel wide, alpha": _blank("PNG", "RGBA", (1, ROWS)),
    "jpeg": _blank("JPEG", "RGB"),
    "jpeg progressive": _blank("JPEG", "RGB", progressive=True, subsampling=0),
    "jpeg progressive CMYK": _blank("JPEG", "CMYK", progressive=True),
    "gif": _blank("GIF", "P"),
    "webp": _blank("WEBP", "RGB", method=0),
    "webp lossless": _blank("WEBP", "RGB", lossless=True, method=0),
    "webp alpha": _blank("WEBP", "RGBA", method=0),
    "webp lossless alpha": _blank("WEBP", "RGBA", lossless=True, method=0),
    "avif": _blank("AVIF", "RGB"),
    "avif grain": _blank("AVIF", "RGB", subsampling="4:4:4", advanced=_GRAIN),
    "avif alpha": _blank("AVIF", "RGBA", subsampling="4:4:4", advanced=_GRAIN),
    "avif one pixel wide": _blank("AVIF", "RGB", (1, 30_000)),
    "heic": lambda: heic(Image.new("RGB", (SIDE // 2, SIDE // 2), 1), chroma=444),
    "heic alpha": lambda: heic(Image.new("RGBA", (SIDE // 2, SIDE // 2), 1), chroma=444),
    "heic tiles": lambda: heic(Image.new("RGB", (SIDE // 2, SIDE // 2), 1), tile_size=64),
    "bmp 1 bit": _blank("BMP", "1"),
    "bmp no runs": _empty_runs(SIDE, SIDE),
    "bmp one pixel wide": _blank("BMP", "L", (1, ROWS)),
    "bmp no runs, one pixel wide": _empty_runs(1, ROWS),
    "bmp no runs, two pixels wide": _empty_runs(2, ROWS // 2),
}
