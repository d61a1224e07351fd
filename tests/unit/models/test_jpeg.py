"""JPEG without Pillow: held against Pillow."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from models import jpeg
from models.errors import UndecodableImage
from tests.support.pictures import DATA, Pixels, encode, jpeg_segment, oriented, photo

STORED = sorted(DATA.rglob("*.jpg"))
SCAN = b"\xff\xda"
PLAIN = encode(photo(size=(48, 32)), "JPEG")
SPACES: dict[str, Callable[[Image.Image], bytes]] = {
    "4:4:4": lambda image: encode(image, "JPEG", subsampling=0),
    "4:2:2": lambda image: encode(image, "JPEG", subsampling=1),
    "4:2:0": lambda image: encode(image, "JPEG", subsampling=2),
    "gray": lambda image: encode(image.convert("L"), "JPEG"),
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
    return jpeg.decode(data, header_of(data), step)


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
    assert header_of(PLAIN)[:4] == (48, 32, "420", False)
    assert header_of(SPACES["4:4:4"](photo(size=(3, 5))))[:4] == (3, 5, "444", False)
    assert header_of(SPACES["gray"](photo(size=(5, 3))))[:4] == (5, 3, "Gray", False)


@pytest.mark.parametrize("data", [b"", b"\0" + PLAIN, encode(photo(), "PNG")])
def test_what_is_no_jpeg_has_no_header(data: bytes) -> None:
    assert jpeg.read_header(data) is None


def test_a_jpeg_says_how_it_is_to_be_decoded() -> None:
    plain = header_of(PLAIN)
    assert (plain.is_plain, plain.is_brief, plain.in_one_scan) == (True, True, True)
    assert not header_of(SPACES["progressive"](photo(size=(9, 9)))).in_one_scan
    assert not header_of(encode(photo(), "JPEG", keep_rgb=True)).is_plain
    assert not header_of(encode(photo().convert("CMYK"), "JPEG")).is_plain
    assert not header_of(headed(*[jpeg_segment(0xFE, b"a cat")] * 70)).is_brief
    assert not header_of(headed(*[jpeg_segment(0xE1, bytes(60_000))] * 2)).is_brief


def test_an_arrangement_without_a_name_is_read_by_pillow_and_must_be_complete() -> None:
    data = bytearray(encode(photo(size=(48, 32)), "JPEG", subsampling=0))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (16).to_bytes(2) + (16).to_bytes(2)  # fewer blocks are needed
    data[frame + 11], data[frame + 14], data[frame + 17] = 0x22, 0x21, 0x12
    odd = bytes(data)
    assert header_of(odd).subsampling == ""
    np.testing.assert_array_equal(decoded(odd), np.asarray(by_pillow(odd)))
    data[frame + 5 : frame + 9] = (320).to_bytes(2) + (240).to_bytes(2)  # more than there are
    with pytest.raises(UndecodableImage, match="not complete"):
        decoded(bytes(data))


@pytest.mark.parametrize(
    ("kind", "name"),
    [(0xC3, "lossless"), (0xC5, "hierarchical"), (0xC9, "arithmetic"), (0xCA, "arithmetic")],
)
def test_a_kind_of_jpeg_that_is_not_read_is_named(kind: int, name: str) -> None:
    with pytest.raises(UndecodableImage, match=name):
        jpeg.read_header(PLAIN.replace(b"\xff\xc0", bytes((0xFF, kind))))


def test_a_jpeg_of_12_bits_is_named() -> None:
    with pytest.raises(UndecodableImage, match="12-bit"):
        jpeg.read_header(PLAIN.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"))


SCANS: list[dict[str, object]] = [
    {},
    {"progressive": True},
    {"restart_marker_blocks": 1},
    {"progressive": True, "restart_marker_blocks": 2},
]


@pytest.mark.parametrize("options", SCANS)
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9", bytes(30) + b"\xff\xd9"])
def test_missing_pixels_are_noticed(options: dict[str, object], share: float, end: bytes) -> None:
    data = encode(photo(size=(160, 112)), "JPEG", **options)
    scan = header_of(data).scan + 14
    cut = data[: scan + int(share * (len(data) - scan))] + end
    with pytest.raises(UndecodableImage):
        decoded(cut)


@pytest.mark.parametrize("options", SCANS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_what_has_all_its_pixels_is_read(options: dict[str, object], mode: str) -> None:
    data = encode(photo(size=(160, 112)).convert(mode), "JPEG", **options)
    expected = np.asarray(by_pillow(data))
    np.testing.assert_array_equal(decoded(data), expected)
    for whole in (data[:-2], data + b"more", data[:2] + b"\xff\xe0\0\4abjunk" + data[2:]):
        np.testing.assert_array_equal(decoded(whole), expected)
    if not options.get("progressive") or "restart_marker_blocks" not in options:
        np.testing.assert_array_equal(decoded(data[:-2] + bytes(30) + data[-2:]), expected)


def test_every_scan_must_be_there() -> None:
    data = SPACES["progressive"](photo(size=(48, 32)))
    scans = [at for at in range(len(data)) if data.startswith(SCAN, at)]
    assert len(scans) == 10
    for scan in scans[1:]:
        with pytest.raises(UndecodableImage, match="scans"):
            decoded(data[:scan] + b"\xff\xd9")


@pytest.mark.parametrize("extra", [70, 2000])
def test_more_scans_than_any_encoder_writes_are_refused(extra: int) -> None:
    data = SPACES["progressive"](photo(size=(48, 32)))
    last = data[data.rindex(SCAN) : -2]
    with pytest.raises(UndecodableImage, match="scans"):
        decoded(data[:-2] + last * extra + data[-2:])


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
