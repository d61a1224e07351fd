"""Real photographs of tests/data, and what it takes to encode them in every way we accept."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

DATA = Path(__file__).parents[1] / "data"
PHOTOS = sorted((DATA / "photos").iterdir())
Pixels = NDArray[np.uint8]


def photo(name: str = "chelsea.png", size: tuple[int, int] | None = None) -> Image.Image:
    """A photograph as RGB, scaled down where a size is given."""
    with Image.open(DATA / "photos" / name) as image:
        rgb = image.convert("RGB")
    return rgb.resize(size, Image.Resampling.LANCZOS) if size else rgb


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def heic(image: Image.Image, **options: object) -> bytes:
    """A HEIC, as phones make them, in tiles where `tile_size` says so."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, **options)
    return buffer.getvalue()


def gray16(values: NDArray[np.uint16]) -> Image.Image:
    return Image.fromarray(values)


def png(color_type: int, depth: int, size: tuple[int, int], rows: bytes, *more: bytes) -> bytes:
    """A PNG from its parts, for what Pillow reads but does not write. `rows` are unfiltered."""
    header = struct.pack(">IIBBBBB", *size, depth, color_type, 0, 0, 0)
    stride = len(rows) // size[1]
    filtered = b"".join(b"\0" + rows[i : i + stride] for i in range(0, len(rows), stride))
    chunks = [png_chunk(b"IHDR", header), *more, png_chunk(b"IDAT", zlib.compress(filtered))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a well-formed PNG: kind and content."""
    position, chunks = 8, []
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        chunks.append((data[position + 4 : position + 8], data[position + 8 :][:length]))
        position += 12 + length
    return chunks


def jpeg_segment(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(content) + 2) + content


def oriented(orientation: object) -> bytes:
    """An EXIF block with that orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def _text() -> PngInfo:
    info = PngInfo()
    info.add_text("Comment", "a cat " * 20, zip=True)
    info.add_itxt("Title", "chat", zip=True)
    return info


def _encodings() -> dict[str, Callable[[Image.Image], bytes]]:
    def of(kind: str, mode: str | None = None, **options: object) -> Callable[..., bytes]:
        return lambda im: encode(im.convert(mode) if mode else im, kind, **options)

    def moving(kind: str) -> Callable[[Image.Image], bytes]:
        return lambda im: encode(im, kind, save_all=True, append_images=[im.rotate(90)])

    return {
        "jpeg": of("JPEG"),
        "jpeg progressive": of("JPEG", progressive=True),
        "jpeg cmyk": of("JPEG", "CMYK"),
        "jpeg gray": of("JPEG", "L"),
        "jpeg exif": of("JPEG", exif=oriented(6)),
        "jpeg multi-picture": moving("MPO"),
        "png": of("PNG", pnginfo=_text()),
        "png palette": lambda im: encode(im.quantize(16), "PNG", transparency=3),
        "png gray alpha": of("PNG", "LA"),
        "png rgb alpha": of("PNG", "RGBA"),
        "png 1 bit": of("PNG", "1"),
        "png 16 bit": lambda im: encode(
            gray16(np.asarray(im.convert("L")).astype(np.uint16) * 257), "PNG"
        ),
        "png exif": of("PNG", exif=oriented(8)),
        "png animated": moving("PNG"),
        "webp": of("WEBP", exif=oriented(3)),
        "webp lossless": of("WEBP", "RGBA", lossless=True),
        "webp animated": moving("WEBP"),
        "gif": of("GIF", comment=b"a cat"),
        "gif animated": moving("GIF"),
        "avif": of("AVIF", exif=oriented(6)),
        "avif alpha": of("AVIF", "RGBA"),
        "avif animated": moving("AVIF"),
        "heic": heic,
        "heic alpha": lambda im: heic(im.convert("RGBA")),
        "heic tiles": lambda im: heic(im.resize((100, 70)), tile_size=64),
        "bmp": of("BMP"),
        "bmp palette": lambda im: encode(im.quantize(16), "BMP"),
    }


ENCODINGS = _encodings()
