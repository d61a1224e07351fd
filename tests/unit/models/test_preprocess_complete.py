"""An image is complete or refused, in every format, also where its file looks whole."""

import struct
import zlib

import numpy as np
import pytest

from models.errors import UndecodableImage
from models.manifest import Preprocess
from models.preprocess import preprocess
from tests.support.pictures import encode, photo, png_chunk, png_chunks

SPEC = Preprocess(size_px=32)
IMAGE = photo(size=(160, 113))
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_of(pixels: bytes, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", *IMAGE.size, 8, 2, 0, 0, interlace)
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return SIGNATURE + b"".join(png_chunk(*chunk) for chunk in chunks)


def stream() -> bytes:
    return b"".join(held for kind, held in png_chunks(encode(IMAGE, "PNG")) if kind == b"IDAT")


def refused(data: bytes) -> bool:
    try:
        preprocess(data, SPEC)
    except UndecodableImage:
        return True
    return False


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_png_whose_rows_end_early_is_refused(share: float) -> None:
    rows = zlib.decompress(stream())
    some = rows[: int(share * len(rows))]
    assert refused(png_of(stream()[: int(share * len(stream()))]))
    assert refused(png_of(zlib.compress(some)))
    assert refused(png_of(zlib.compress(some, 0)))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99, 1])
def test_an_interlaced_png_must_have_its_last_pass(share: float) -> None:
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    pixels = np.asarray(IMAGE)
    rows = b"".join(
        b"\0" + row.tobytes()
        for left, top, across, down in (*steps, (0, 1, 1, 2))
        for row in pixels[top::down, left::across]
    )
    data = png_of(zlib.compress(rows[: int(share * len(rows))]), interlace=1)
    assert refused(data) == (share < 1)
    if share == 1:
        whole = preprocess(encode(IMAGE, "PNG"), SPEC)
        np.testing.assert_array_equal(preprocess(data, SPEC), whole)


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255)])
def test_a_png_of_one_color_is_complete(color: tuple[int, int, int]) -> None:
    image = IMAGE.copy()
    image.paste(color, (0, 0, *image.size))
    assert preprocess(encode(image, "PNG"), SPEC).mean() == color[0]


def test_a_png_without_its_last_chunk_is_read() -> None:
    data = encode(IMAGE, "PNG")
    np.testing.assert_array_equal(preprocess(data[:-12], SPEC), preprocess(data, SPEC))


@pytest.mark.parametrize("options", [{}, {"lossless": True}])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_webp_whose_pixels_end_early_is_refused(options: dict[str, object], share: float) -> None:
    data = encode(IMAGE, "WEBP", **options)
    cut = bytearray(data[: int(share * len(data)) // 2 * 2])
    assert refused(bytes(cut))
    cut[4:8] = struct.pack("<I", len(cut) - 8)
    assert refused(bytes(cut))
    cut[16:20] = struct.pack("<I", len(cut) - 20)  # as if it were meant
    assert refused(bytes(cut))


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_gif_whose_pixels_end_early_is_refused(kept: int) -> None:
    data = encode(IMAGE, "GIF")
    at = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1)) + 11
    head, blocks = data[:at], []
    while data[at]:
        blocks.append(data[at : at + 1 + data[at]])
        at += 1 + data[at]
    assert len(blocks) > 10
    assert refused(head + b"".join(blocks[:kept]) + b"\0;")
    assert refused(head + b"".join(blocks[:-1]) + b"\0;")
    assert not refused(head + b"".join(blocks) + b"\0;")
    assert not refused(head + b"".join(blocks))


@pytest.mark.parametrize("missing", [1, 100, 20_000])
def test_a_bmp_whose_rows_end_early_is_refused(missing: int) -> None:
    assert refused(encode(IMAGE, "BMP")[:-missing])


def rle(codes: bytes, size: tuple[int, int], bits: int) -> bytes:
    colors = bytes(value for level in range(16) for value in (level * 16,) * 3 + (0,))
    about = struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, 3 - bits // 4, len(codes), 0, 0, 16, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 64) + about + colors + codes


def test_run_lengths_are_read_as_they_are_meant() -> None:
    eight = b"\x04\x0f\0\0" + b"\0\4\1\2\3\4" + b"\0\0" + b"\0\2\1\0\2\7" + b"\0\1"
    expected = np.zeros((4, 4), np.uint8)  # from the bottom up
    expected[3], expected[2], expected[1] = 240, (16, 32, 48, 64), (0, 112, 112, 0)
    spec = Preprocess(size_px=4)
    found = preprocess(rle(eight, (4, 4), 8), spec)
    np.testing.assert_array_equal(found[..., 0], expected)
    four = b"\x04\xff\0\0" + b"\0\4\x12\x34" + b"\0\0" + b"\0\2\1\0\2\x77" + b"\0\1"
    np.testing.assert_array_equal(preprocess(rle(four, (4, 4), 4), spec), found)


@pytest.mark.parametrize("codes", [b"", b"\x04\x0f\0\0", b"\x04\x0f\0", b"\0\4\1"])
def test_run_lengths_that_end_early_are_refused(codes: bytes) -> None:
    assert refused(rle(codes, (4, 4), 8))


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "GIF", "BMP"])
def test_the_reason_names_the_format_where_a_library_alone_finds_the_fault(format_: str) -> None:
    data = encode(IMAGE, format_)
    with pytest.raises(UndecodableImage) as refusal:
        preprocess(data[: len(data) // 2], SPEC)
    assert format_ in refusal.value.reason
