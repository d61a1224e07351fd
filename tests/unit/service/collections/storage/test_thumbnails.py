"""The small picture that is kept of an image."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import models.jpeg
from models.errors import ImageTooLarge, UndecodableImage
from models.manifest import Preprocess
from models.preprocess import MAX_PIXELS, preprocess
from service.collections.storage.thumbnails import SIDE_PX, decode_with_thumbnail
from tests.support.pictures import ENCODINGS, PHOTOS, encode, photo

SPEC = Preprocess(size_px=32)


def thumbnail(encoded: bytes, max_pixels: int = MAX_PIXELS) -> bytes:
    return decode_with_thumbnail(encoded, SPEC, max_pixels)[1]


def shown(encoded: bytes) -> Image.Image:
    return Image.open(io.BytesIO(thumbnail(encoded)))


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_has_one(name: str) -> None:
    small = shown(ENCODINGS[name](photo(size=(600, 400))))
    turned = "exif" in name or name == "avif"
    size = (64, SIDE_PX) if turned else (SIDE_PX, 67 if name == "heic tiles" else 64)
    assert (small.format, small.mode, small.size) == ("JPEG", "RGB", size)


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.name)
def test_it_looks_like_the_image(path: Path) -> None:
    encoded = path.read_bytes()
    with Image.open(io.BytesIO(encoded)) as image:
        expected = image.convert("RGB").resize(shown(encoded).size, Image.Resampling.BOX)
    difference = np.asarray(shown(encoded)).astype(int) - np.asarray(expected)
    assert np.abs(difference).mean() < 8


def test_a_small_image_stays_as_large_as_it_is() -> None:
    assert shown(encode(photo(size=(20, 10)), "PNG")).size == (20, 10)


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (30, 30), (255, 0, 0, 0))
    assert shown(encode(clear, "PNG")).getpixel((15, 15)) == (255, 255, 255)


def test_it_stands_upright() -> None:
    lying = Image.new("RGB", (300, 200))
    lying.paste((255, 0, 0), (0, 0, 300, 100))
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    small = shown(encode(lying, "JPEG", exif=tags))
    assert small.size == (64, SIDE_PX)
    right, left = small.getpixel((60, 48)), small.getpixel((3, 48))
    assert right[0] > 200 > 50 > left[0]  # type: ignore[index]


def test_it_carries_nothing_but_the_picture() -> None:
    commented = encode(photo(size=(200, 100)), "JPEG", comment=b"where I live" * 1000)
    assert len(thumbnail(commented)) < 6000
    assert b"where I live" not in thumbnail(commented)


def test_what_is_no_image_is_refused_as_by_the_model() -> None:
    with pytest.raises(UndecodableImage):
        thumbnail(b"no image")
    with pytest.raises(UndecodableImage):
        thumbnail(encode(photo(size=(200, 100)), "JPEG")[:900])
    with pytest.raises(ImageTooLarge):
        thumbnail(encode(photo(size=(200, 100)), "PNG"), max_pixels=1000)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("size_px", [8, 32, 96])
def test_the_model_sees_what_it_sees_without_a_thumbnail(name: str, size_px: int) -> None:
    encoded, spec = ENCODINGS[name](photo(size=(600, 400))), Preprocess(size_px=size_px)
    pixels, small = decode_with_thumbnail(encoded, spec)
    assert np.array_equal(pixels, preprocess(encoded, spec))
    with Image.open(io.BytesIO(small)) as image:
        assert max(image.size) == SIDE_PX


def test_a_model_that_sees_few_pixels_leaves_the_thumbnail_its_own() -> None:
    """At half scale, which is enough for it, the picture would be smaller than its thumbnail."""
    encoded = encode(photo(size=(130, 124)), "JPEG")
    _, small = decode_with_thumbnail(encoded, Preprocess(size_px=8, half_scale=True))
    with Image.open(io.BytesIO(small)) as image:
        assert image.size == (SIDE_PX, 92)


def test_an_image_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    decode = models.jpeg.decode

    def counting(data: bytes, header: models.jpeg.Header, step: int) -> np.ndarray:
        steps.append(step)
        return decode(data, header, step)

    monkeypatch.setattr(models.jpeg, "decode", counting)
    decode_with_thumbnail(encode(photo(size=(600, 400)), "JPEG"), SPEC)
    assert steps == [1]
