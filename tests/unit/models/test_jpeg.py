"""JPEG without Pillow: held against Pillow."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from models import jpeg
from tests.unit.models.pictures import DATA, Pixels, encode, jpeg_segment, oriented, photo

STORED = sorted(DATA.rglob("*.jpg"))
SCAN = b"\xff\xda"
PLAIN = encode(photo(size=(48, 32)), "JPEG")
SPACES: dict[str, Callable[[Image.Image], bytes]] = {
    "4:4:4": lambda image: encode(image, "JPEG", subsampling=0),
    "4:2:2": lambda image: encode(image, "JPEG", subsampling=1),
    "4:2:0": lambda image: encode(image, "JPEG", subsampling=2),
    "grey": lambda image: encode(image.convert("L"), "JPEG"),
    "progressive": lambda image: encode(image, "JPEG", progressive=True),
    "restarts": lambda image: encode(image, "JPEG", restart_marker_blocks=2),
    "quality 5": lambda image: encode(image, "JPEG", quality=5),
    "quality 100": lambda image: encode(image, "JPEG", quality=100),
}


def header_of(data: bytes) -> jpeg.Header:
    header = jpeg.read_header(data)
    assert header is not None
    return header


def decoded(data: bytes, step: int = 1) -> Pixels:
    pixels = jpeg.decode(data, header_of(data), step)
    assert pixels is not None
    return pixels


def by_pillow(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def headed(*segments: bytes) -> bytes:
    """A JPEG with more segments at its beginning."""
    return PLAIN[:2] + b"".join(segments) + PLAIN[2:]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("size", [(32, 32), (1, 1), (1, 40), (40, 1), (7, 9), (33, 65), (240, 160)])
def test_the_pixels_are_pillows(space: str, size: tuple[int, int]) -> None:
    data = SPACES[space](photo(size=size))
    pixels = decoded(data)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, np.asarray(by_pillow(data)))


def test_the_pixels_of_every_stored_jpeg_are_pillows() -> None:
    assert len(STORED) > 500
    for path in STORED:
        data = path.read_bytes()
        np.testing.assert_array_equal(decoded(data), np.asarray(by_pillow(data)), str(path))


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("size", [(240, 160), (241, 161)])
def test_half_scale_is_the_mean_of_four_pixels(space: str, size: tuple[int, int]) -> None:
    data = SPACES[space](photo(size=size))
    half, full = decoded(data, step=2), by_pillow(data)
    assert half.shape == (-(-size[1] // 2), -(-size[0] // 2), 3)
    inner = (slice(0, size[1] // 2), slice(0, size[0] // 2))  # without what stands on the edge
    difference = np.abs(half[inner].astype(int) - np.asarray(full.reduce(2))[inner])
    assert difference.mean() < (2.5 if space == "4:2:2" else 1.1)  # its chroma is halved again


def test_a_header_says_what_there_is() -> None:
    assert header_of(PLAIN) == jpeg.Header(48, 32, "420", tagged=False)
    assert header_of(SPACES["4:4:4"](photo(size=(3, 5)))) == (3, 5, "444", False)
    assert header_of(SPACES["grey"](photo(size=(5, 3)))) == (5, 3, "Gray", False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        PLAIN[: PLAIN.index(SCAN)],
        b"\0" + PLAIN,
        encode(photo(), "PNG"),
        encode(photo().convert("CMYK"), "JPEG"),
        encode(photo(), "JPEG", keep_rgb=True),
        PLAIN.replace(
            b"\x11\x08\x00\x20\x00\x30\x03\x01\x22", b"\x11\x08\x00\x20\x00\x30\x03\x01\x33"
        ),
    ],
    ids=["empty", "start", "no scan", "late", "png", "cmyk", "rgb", "odd subsampling"],
)
def test_what_is_not_plain_is_left_to_pillow(data: bytes) -> None:
    assert jpeg.read_header(data) is None


@pytest.mark.parametrize("cut", [2, 10, 100, 300])
def test_pixels_that_end_early_are_left_to_pillow(cut: int) -> None:
    end = b"" if cut == 2 else b"\xff\xd9"
    for data in (PLAIN[:-cut], PLAIN[:-cut] + end):
        assert jpeg.decode(data, header_of(data), 1) is None


def test_bytes_between_the_segments_are_left_to_pillow() -> None:
    data = PLAIN[:2] + b"\xff\xe0\0\4ab" + b"junk" + PLAIN[2:]
    header = jpeg.read_header(data)
    assert header is None or jpeg.decode(data, header, 1) is None


THUMBNAIL = jpeg_segment(0xED, b"Photoshop 3.0\0" + PLAIN)  # with a scan of its own
EXIF = jpeg_segment(0xE1, oriented(6))


@pytest.mark.parametrize(
    "segments",
    [
        (EXIF,),
        (jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),),
        (THUMBNAIL, EXIF),
        (b"\xff" + EXIF,),
        (jpeg_segment(0xFE, b"a cat"),) * 70 + (EXIF,),
    ],
    ids=["exif", "xmp", "behind a thumbnail", "after filling", "behind many"],
)
def test_a_jpeg_with_tags_is_known(segments: tuple[bytes, ...]) -> None:
    assert header_of(headed(*segments)).tagged


def test_other_segments_are_no_tags() -> None:
    data = headed(THUMBNAIL, jpeg_segment(0xE3, EXIF), jpeg_segment(0xFE, EXIF))
    assert not header_of(data).tagged


@pytest.mark.parametrize(
    ("size", "subsampling", "size_px", "step"),
    [
        ((640, 480), "420", 32, 2),
        ((480, 640), "444", 32, 2),
        ((640, 479), "420", 32, 1),
        ((4000, 3000), "420", 200, 2),
        ((4000, 3000), "420", 201, 1),
        ((300, 300), "Gray", 224, 1),
        ((300, 300), "Gray", 20, 2),
        ((1280, 959), "422", 32, 1),
        ((1280, 960), "422", 32, 2),
        ((1280, 959), "440", 32, 1),
    ],
)
def test_half_scale_is_for_what_is_much_larger(
    size: tuple[int, int], subsampling: str, size_px: int, step: int
) -> None:
    for tagged in (False, True):
        assert jpeg.choose_step(jpeg.Header(*size, subsampling, tagged), size_px) == step


def test_an_odd_picture_that_may_be_turned_is_not_halved() -> None:
    assert jpeg.choose_step(jpeg.Header(641, 480, "420", tagged=False), 32) == 2
    for size in ((641, 480), (640, 481)):
        assert jpeg.choose_step(jpeg.Header(*size, "420", tagged=True), 32) == 1
