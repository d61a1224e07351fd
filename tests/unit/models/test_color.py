"""Transparency in its odder forms."""

import struct

import numpy as np
import pytest

from models.manifest import Preprocess
from models.preprocess import preprocess
from tests.support.pictures import encode, photo, png, png_chunk

SPEC = Preprocess(size_px=2)


def test_one_gray_of_16_bits_may_be_transparent() -> None:
    rows = struct.pack(">4H", 0x1000, 0x1001, 0x1000, 0x8000)
    found = preprocess(png(0, 16, (2, 2), rows, png_chunk(b"tRNS", b"\x10\x01")), SPEC)
    np.testing.assert_array_equal(found[..., 0], [[0x10, 255], [0x10, 0x80]])


def test_one_color_of_16_bits_may_be_transparent() -> None:
    rows = struct.pack(">12H", *(0x1000, 0x2000, 0x3000), *(0x4000,) * 3, *(0x5000,) * 6)
    found = preprocess(png(2, 16, (2, 2), rows, png_chunk(b"tRNS", b"\x10\0\x20\0\x30\0")), SPEC)
    np.testing.assert_array_equal(found[..., 0], [[255, 0x40], [0x50, 0x50]])


@pytest.mark.parametrize("alpha", [0, 255])
def test_a_bmp_whose_alpha_bytes_are_unset_is_opaque(alpha: int) -> None:
    rgba = photo(size=(2, 2)).convert("RGBA")
    rgba.putalpha(alpha)
    expected = preprocess(encode(rgba.convert("RGB"), "PNG"), SPEC)
    np.testing.assert_array_equal(preprocess(bitfields(np.asarray(rgba)), SPEC), expected)


def test_a_bmp_that_uses_its_alpha_is_on_white() -> None:
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0, 3] = 255
    found = preprocess(bitfields(rgba), SPEC)
    np.testing.assert_array_equal(found[..., 0], [[0, 255], [255, 255]])


def bitfields(rgba: np.ndarray) -> bytes:
    """A BMP of 32 bits with an alpha mask, as screenshots have."""
    height, width, _ = rgba.shape
    rows = rgba[::-1, :, [2, 1, 0, 3]].tobytes()
    about = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(rows), 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + bytes(52)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + 108) + about + masks + rows
