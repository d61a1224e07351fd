"""Preprocessing of good images."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from models.manifest import Preprocess
from models.preprocess import preprocess
from tests.support.pictures import (
    DATA,
    ENCODINGS,
    PHOTOS,
    Pixels,
    encode,
    gray16,
    oriented,
    photo,
    png,
    png_chunk,
)

SIDE = 32
SPEC = Preprocess(size_px=SIDE)
CAT = photo(size=(SIDE, SIDE))
CAT_RGB = np.asarray(CAT)


def decoded(data: bytes, size_px: int = SIDE) -> Pixels:
    return preprocess(data, Preprocess(size_px=size_px))


def difference(a: Pixels, b: Pixels) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_gives_contiguous_rgb_of_the_models_size(name: str) -> None:
    pixels = decoded(ENCODINGS[name](photo(size=(60, 40))))
    assert pixels.shape == (SIDE, SIDE, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})]
)
def test_a_lossless_image_of_the_models_size_is_left_as_it_is(
    kind: str, options: dict[str, object]
) -> None:
    np.testing.assert_array_equal(decoded(encode(CAT, kind, **options)), CAT_RGB)


def test_a_jpeg_of_the_models_size_is_what_pillow_decodes() -> None:
    for path in sorted((DATA / "cifar10-sample" / "test").glob("*/0000.jpg")):
        with Image.open(path) as image:
            expected = np.asarray(image)
        np.testing.assert_array_equal(decoded(path.read_bytes()), expected)


def test_grey_is_repeated_over_the_channels() -> None:
    gray = CAT.convert("L")
    expected = np.repeat(np.asarray(gray)[..., None], 3, axis=2)
    np.testing.assert_array_equal(decoded(encode(gray, "PNG")), expected)


def test_a_bitmap_is_black_and_white() -> None:
    bits = CAT.convert("1")
    expected = np.asarray(bits)[..., None] * np.array([255, 255, 255], np.uint8)
    np.testing.assert_array_equal(decoded(encode(bits, "PNG")), expected)


def test_cmyk_is_not_inverted() -> None:
    pixels = decoded(encode(CAT.convert("CMYK"), "JPEG", quality=95))
    assert np.abs(pixels.astype(int) - CAT_RGB).mean() < 5


def test_a_palette_gives_its_colors_and_its_transparent_entry_is_white() -> None:
    indexed = CAT.quantize(8)
    expected = np.asarray(indexed.convert("RGB")).copy()
    expected[np.asarray(indexed) == 3] = 255
    np.testing.assert_array_equal(decoded(encode(indexed, "PNG", transparency=3)), expected)
    assert (np.asarray(indexed) == 3).any()


def test_alpha_is_composited_on_white() -> None:
    alpha = np.linspace(0, 255, SIDE * SIDE).astype(np.uint8).reshape(SIDE, SIDE)
    image = CAT.copy()
    image.putalpha(Image.fromarray(alpha))
    weight = alpha[..., None] / 255
    expected = np.round(CAT_RGB * weight + 255 * (1 - weight)).astype(np.uint8)
    assert difference(decoded(encode(image, "PNG")), expected) <= 1
    assert difference(decoded(encode(image, "WEBP", lossless=True, exact=True)), expected) <= 1


def test_grey_alpha_is_composited_on_white() -> None:
    gray, alpha = np.full((SIDE, SIDE), 40, np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    alpha[: SIDE // 2] = 255
    image = Image.merge("LA", (Image.fromarray(gray), Image.fromarray(alpha)))
    pixels = decoded(encode(image, "PNG"))
    assert (pixels[: SIDE // 2] == 40).all()
    assert (pixels[SIDE // 2 :] == 255).all()


def test_one_transparent_color_of_an_rgb_png_is_white() -> None:
    rows = bytes((10, 20, 30)) * (SIDE * SIDE // 2) + bytes((40, 50, 60)) * (SIDE * SIDE // 2)
    key = png_chunk(b"tRNS", bytes((0, 10, 0, 20, 0, 30)))
    pixels = decoded(png(2, 8, (SIDE, SIDE), rows, key))
    assert (pixels[: SIDE // 2] == 255).all()
    assert (pixels[SIDE // 2 :] == (40, 50, 60)).all()


def test_16_bit_grey_keeps_its_high_byte() -> None:
    high = np.asarray(CAT.convert("L"))
    values = high.astype(np.uint16) * np.uint16(256) + np.uint16(0xC0)
    expected = np.repeat(high[..., None], 3, axis=2)
    np.testing.assert_array_equal(decoded(encode(gray16(values), "PNG")), expected)


@pytest.mark.parametrize("alpha", [False, True])
def test_16_bit_color_keeps_its_high_byte(alpha: bool) -> None:
    values = (CAT_RGB.astype(np.uint16) << 8) | 0x40
    if alpha:
        values = np.dstack([values, np.full((SIDE, SIDE), 0xFFFF, np.uint16)])
    data = png(6 if alpha else 2, 16, (SIDE, SIDE), values.astype(">u2").tobytes())
    np.testing.assert_array_equal(decoded(data), CAT_RGB)


@pytest.mark.parametrize(
    ("kind", "options"), [("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True})]
)
def test_the_first_frame_stands_for_an_animation(kind: str, options: dict[str, object]) -> None:
    frames = [Image.new("RGB", (SIDE, SIDE), color) for color in ("red", "green", "blue")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    with Image.open(io.BytesIO(data)) as image:
        assert getattr(image, "n_frames", 1) == 3
    assert (decoded(data) == (255, 0, 0)).all()


# EXIF 2.3, tag 0x0112: what undoes each orientation
UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {})]
)
def test_exif_orientation_is_applied(
    kind: str, options: dict[str, object], orientation: int
) -> None:
    plain = decoded(encode(CAT, kind, **options))
    turned = decoded(encode(CAT, kind, exif=oriented(orientation), **options))
    np.testing.assert_array_equal(turned, UPRIGHT[orientation](plain))


def test_an_oblong_picture_is_turned_before_it_is_cropped() -> None:
    left_red = Image.new("RGB", (3 * SIDE, SIDE), "blue")
    left_red.paste("red", (0, 0, SIDE, SIDE))
    pixels = decoded(encode(left_red, "PNG", exif=oriented(6)))  # red comes to the top
    assert (pixels == (0, 0, 255)).all()


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    data = encode(CAT, "PNG", exif=oriented(orientation))
    np.testing.assert_array_equal(decoded(data), CAT_RGB)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # Pillow says that the block is damaged
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0MM\0*\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0garbage"],
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_damaged_exif_block_does_not_spoil_good_pixels(kind: str, exif: bytes) -> None:
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    plain = decoded(encode(CAT, kind, **options))
    np.testing.assert_array_equal(decoded(encode(CAT, kind, exif=exif, **options)), plain)


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.name)
@pytest.mark.parametrize("size_px", [32, 64, 65, 224, 299])
@pytest.mark.parametrize("portrait", [False, True])
def test_resize_and_crop_are_torchvisions(path: Path, size_px: int, portrait: bool) -> None:
    image = photo(path.name)
    image = image.transpose(Image.Transpose.ROTATE_90) if portrait else image
    transform = v2.Compose([v2.Resize(size_px, antialias=True), v2.CenterCrop(size_px)])
    pixels = decoded(encode(image, "PNG"), size_px)
    assert difference(pixels, np.asarray(transform(image))) <= 1
    tensor = transform(torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1))
    assert difference(pixels, tensor.permute(1, 2, 0).numpy()) <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (3, 2000), (31, 33), (33, 31)])
def test_any_shape_fills_the_square(size: tuple[int, int]) -> None:
    pixels = decoded(encode(Image.new("RGB", size, (10, 200, 30)), "PNG"))
    assert pixels.shape == (SIDE, SIDE, 3)
    assert (pixels == (10, 200, 30)).all()


def test_the_centre_of_a_sliver_is_what_is_seen() -> None:
    sliver = Image.new("RGB", (1_000_001, 1), "black")
    sliver.putpixel((500_000, 0), (255, 255, 255))
    pixels = decoded(encode(sliver, "PNG"))
    middle, edges = pixels[:, SIDE // 2], pixels[:, [0, -1]]
    assert middle.min() > 240
    assert 100 < edges.min() <= edges.max() < 140  # half a source pixel away, on either side
