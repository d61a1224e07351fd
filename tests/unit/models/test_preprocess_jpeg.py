"""The fast way through a JPEG, compared with the way of all other images."""

import io
import random
from pathlib import Path
from unittest import mock

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from models import jpeg
from models.errors import ImageTooLarge, UndecodableImage
from models.manifest import Preprocess
from models.preprocess import preprocess
from models.store import Store
from tests.support.pictures import DATA, Pixels, encode, jpeg_segment, oriented, photo

REGISTRY = Path(__file__).parents[3] / "models" / "registry"
LARGE = sorted((DATA / "large").iterdir())
LEAST_COSINE = 0.999
Outcome = Pixels | str


def fast(data: bytes, size_px: int = 32) -> Pixels:
    with mock.patch.object(jpeg, "decode", wraps=jpeg.decode) as decode:
        pixels = preprocess(data, Preprocess(size_px=size_px))
    assert decode.call_count == 1
    return pixels


def by_pillow(data: bytes, size_px: int = 32) -> Pixels:
    """The same by Pillow's JPEG decoder and its way to turn a picture."""
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return preprocess(encode(upright, "PNG"), Preprocess(size_px=size_px))


def at_full_scale(data: bytes, size_px: int = 32) -> Pixels:
    with mock.patch.object(jpeg, "choose_step", return_value=1):
        return preprocess(data, Preprocess(size_px=size_px))


def outcome(data: bytes) -> Outcome:
    try:
        return preprocess(data, Preprocess(size_px=32))
    except (UndecodableImage, ImageTooLarge) as error:
        return f"{type(error).__name__}: {error}"


def large(size: tuple[int, int], name: str = "astronaut.jpg") -> Image.Image:
    with Image.open(DATA / "large" / name) as image:
        return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size_px", [32, 224])
@pytest.mark.parametrize(
    "size", [(1, 1), (3, 2000), (2000, 1), (31, 33), (32, 32), (32, 57), (225, 224), (300, 479)]
)
def test_at_full_scale_nothing_differs(mode: str, size_px: int, size: tuple[int, int]) -> None:
    data = encode(photo(size=size).convert(mode), "JPEG")
    pixels = fast(data, size_px)
    assert pixels.shape == (size_px, size_px, 3)
    assert pixels.flags.c_contiguous
    np.testing.assert_array_equal(pixels, by_pillow(data, size_px))


def test_what_has_the_models_size_never_meets_pillow() -> None:
    data = encode(photo(size=(32, 32)), "JPEG")
    expected = by_pillow(data)
    with (
        mock.patch.object(Image, "open", side_effect=AssertionError),
        mock.patch.object(Image, "fromarray", side_effect=AssertionError),
    ):
        np.testing.assert_array_equal(preprocess(data, Preprocess(size_px=32)), expected)


@pytest.mark.parametrize("size", [(32, 32), (57, 44), (640, 480), (480, 641)])
@pytest.mark.parametrize("orientation", range(9))
@pytest.mark.parametrize("tag", ["exif", "xmp"])
def test_every_orientation_is_applied(size: tuple[int, int], orientation: int, tag: str) -> None:
    options: dict[str, object] = {"exif": oriented(orientation)}
    if tag == "xmp":
        options = {"xmp": b'<x tiff:Orientation="%d"/>' % orientation}
    data = encode(large(size), "JPEG", **options)
    pixels, expected = fast(data), by_pillow(data)
    if size == (640, 480):  # at half scale
        assert 0 < np.abs(pixels.astype(int) - expected).mean() < 0.2
    else:
        np.testing.assert_array_equal(pixels, expected)


def test_tags_behind_a_thumbnail_with_pixels_of_its_own_are_found() -> None:
    data = encode(photo(size=(57, 44)), "JPEG")
    thumbnail = jpeg_segment(0xED, b"Photoshop 3.0\0" + data)
    turned = data[:2] + thumbnail + jpeg_segment(0xE1, oriented(6)) + data[2:]
    np.testing.assert_array_equal(fast(turned), by_pillow(turned))
    assert (fast(turned) != fast(data)).any()


@pytest.mark.parametrize(
    "data",
    [
        encode(photo().convert("CMYK"), "JPEG"),
        encode(photo(), "JPEG", keep_rgb=True),
        encode(photo(), "MPO", save_all=True, append_images=[photo().rotate(90)]),
        encode(photo(), "JPEG") + b"more",
    ],
    ids=["cmyk", "rgb", "multi-picture", "more behind its end"],
)
def test_unusual_files_are_as_pillow_has_them(data: bytes) -> None:
    np.testing.assert_array_equal(outcome(data), by_pillow(data))


def test_multi_picture_files_are_read_by_their_first_picture() -> None:
    frames = [photo(size=(32, 32)), Image.new("RGB", (32, 32))]
    data = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "MPO"
        np.testing.assert_array_equal(fast(data), np.asarray(image))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"exif": oriented(6)}])
@pytest.mark.parametrize("size", [(32, 32), (57, 44)])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["cut", "glued"])
def test_a_file_cut_anywhere_is_refused(
    options: dict[str, object], size: tuple[int, int], end: bytes
) -> None:
    data = encode(photo(size=size), "JPEG", **options)
    for stop in range(0, len(data) - 8, 3):
        assert isinstance(outcome(data[:stop] + end), str), stop
    np.testing.assert_array_equal(outcome(data[:-2] + end), outcome(data))  # no pixel is missing


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_damage_anywhere_gives_pixels_or_a_refusal(options: dict[str, object]) -> None:
    data, chance = encode(photo(size=(48, 36)), "JPEG", **options), random.Random(7)
    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 1, 4])):
            damaged[chance.randrange(2, len(data))] = chance.choice([0, 255, chance.randrange(256)])
        refused += isinstance(outcome(bytes(damaged)), str)
    assert 0 < refused < 300


def test_too_many_pixels_are_refused_before_any_is_decoded() -> None:
    data = encode(photo(size=(60, 40)), "JPEG")
    with (
        mock.patch.object(jpeg, "decode", side_effect=AssertionError),
        pytest.raises(ImageTooLarge) as refused,
    ):
        preprocess(data, Preprocess(size_px=32), max_pixels=2_399)
    assert (refused.value.pixels, refused.value.limit) == (2_400, 2_399)
    assert preprocess(data, Preprocess(size_px=32), max_pixels=2_400).shape == (32, 32, 3)


def test_a_large_photo_is_decoded_at_half_scale() -> None:
    data = encode(large((4000, 3000)), "JPEG")
    with mock.patch.object(jpeg, "decode", wraps=jpeg.decode) as decode:
        pixels = preprocess(data, Preprocess(size_px=32))
    assert decode.call_args.args[2] == 2
    assert np.abs(pixels.astype(int) - by_pillow(data)).max() <= 1


@pytest.mark.parametrize(
    ("size", "size_px"), [((300, 300), 224), ((479, 700), 32), ((960, 700), 47), ((447, 448), 224)]
)
def test_nothing_else_is_reduced(size: tuple[int, int], size_px: int) -> None:
    data = encode(large(size), "JPEG")
    np.testing.assert_array_equal(fast(data, size_px), by_pillow(data, size_px))


@pytest.mark.parametrize("size", [(641, 481), (481, 641), (482, 1283), (999, 500)])
def test_half_scale_keeps_the_place_of_odd_sizes(size: tuple[int, int]) -> None:
    data = encode(large(size), "JPEG", quality=95)
    pixels, expected = fast(data).astype(int), at_full_scale(data)
    shifted = at_full_scale(encode(large(size).crop((1, 1, *size)), "JPEG", quality=95))
    assert np.abs(pixels - expected).mean() < 0.5 * np.abs(pixels - shifted).mean()


def variants(path: Path) -> list[bytes]:
    """A large photograph as it is stored, and parts of it, encoded in many ways."""
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    chance, made = random.Random(path.name), [path.read_bytes()]
    for number in range(12):
        width, height = chance.randint(480, rgb.width), chance.randint(480, rgb.height)
        left, top = chance.randint(0, rgb.width - width), chance.randint(0, rgb.height - height)
        part = rgb.crop((left, top, left + width, top + height))
        quality = chance.choice([50, 75, 85, 90, 95])
        made.append(
            encode(
                part,
                "JPEG",
                quality=quality,
                subsampling=(0, 2)[number % 2],
                progressive=number % 3 == 0,
            )
        )
    return made


HALVING = [
    (name, version)
    for name in Store(REGISTRY).names()
    for version in Store(REGISTRY).versions(name)
    if Store(REGISTRY).load(name, version).manifest.preprocess.half_scale
]


def embeddings(model: str, version: int, pixels: list[Pixels]) -> NDArray[np.float32]:
    session = ort.InferenceSession(Store(REGISTRY).load(model, version).model_path)
    (found,) = session.run(["embedding"], {"images": np.stack(pixels)})
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


@pytest.fixture(scope="module")
def halved() -> tuple[list[Pixels], list[Pixels]]:
    """Photographs at half scale, and at full scale."""
    images = [data for path in LARGE for data in variants(path)]
    headers = [jpeg.read_header(data) for data in images]
    assert all(header is not None and jpeg.choose_step(header, 32) == 2 for header in headers)
    return [fast(data) for data in images], [by_pillow(data) for data in images]


@pytest.mark.parametrize(
    ("model", "version"),
    [HALVING[-1], *(pytest.param(*one, marks=pytest.mark.published) for one in HALVING[:-1])],
)
def test_half_scale_leaves_the_embeddings_alone_of_every_model_that_has_it(
    model: str, version: int, halved: tuple[list[Pixels], list[Pixels]]
) -> None:
    reduced, full = (embeddings(model, version, pixels) for pixels in halved)
    cosines = (reduced * full).sum(axis=1)
    assert cosines.min() >= LEAST_COSINE
    assert cosines.min() < 1  # it is half scale


def test_a_large_jpeg_is_decoded_whole_where_the_spec_has_no_half_scale() -> None:
    data = LARGE[0].read_bytes()
    whole = preprocess(data, Preprocess(size_px=32, half_scale=False))
    assert np.abs(whole.astype(int) - by_pillow(data)).max() <= 2
    assert (whole != fast(data)).any()
