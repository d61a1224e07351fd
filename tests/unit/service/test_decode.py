import asyncio
from collections.abc import Iterator
from io import BytesIO
from threading import current_thread

import numpy as np
import pytest
from PIL import Image

from models.errors import UndecodableImage
from models.jpeg import Header
from models.manifest import Preprocess
from models.preprocess import preprocess
from service.decode import Decoder, Encoded
from service.errors import OversizedImages, UndecodableImages
from tests.bundles import picture

SPEC = Preprocess(size_px=8)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder(100_000, 2, lambda seconds: None)
    yield made
    made.close()


def decode(decoder: Decoder, images: list[Encoded]) -> np.ndarray:
    return asyncio.run(decoder.decode(images, SPEC))


def test_pixels_are_those_of_the_contract_in_order(decoder: Decoder) -> None:
    images = [picture(seed, (300, 200)) for seed in range(9)]
    assert sum(map(len, images)) > 2 * 128 * 1024  # enough for several tasks
    expected = np.stack([preprocess(image, SPEC) for image in images])
    np.testing.assert_array_equal(decode(decoder, [*images]), expected)


def test_every_bad_image_is_named(decoder: Decoder) -> None:
    reason = UndecodableImage("not base64")
    images: list[Encoded] = [picture(0), b"", picture(1), reason, picture(2)[:100]]
    with pytest.raises(UndecodableImages) as caught:
        decode(decoder, images)
    assert caught.value.indexes == (1, 3, 4)
    assert caught.value.index == 1
    assert "image 3: not base64" in str(caught.value)


def test_every_image_over_the_limit_is_named_first(decoder: Decoder) -> None:
    large = picture(0, (400, 300))
    with pytest.raises(OversizedImages) as caught:
        decode(decoder, [b"", large, picture(1), large])
    assert (caught.value.indexes, caught.value.limit) == ((1, 3), 100_000)


def threads_that_decode(monkeypatch: pytest.MonkeyPatch, images: list[Encoded]) -> set[str]:
    """The names of the threads that decode these images."""
    found = set()

    def watched(
        data: bytes, spec: Preprocess, max_pixels: int, header: Header | None
    ) -> np.ndarray:
        found.add(current_thread().name.partition("_")[0])
        return preprocess(data, spec, max_pixels, header)

    monkeypatch.setattr("service.decode.preprocess", watched)
    made = Decoder(10_000_000, 2, lambda seconds: None)
    decode(made, images)
    made.close()
    return found


def jpeg(side: int) -> bytes:
    with Image.open(BytesIO(picture(0, (side, side)))) as image, BytesIO() as file:
        image.convert("RGB").save(file, "JPEG")
        return file.getvalue()


def test_small_jpegs_are_decoded_where_they_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_that_decode(monkeypatch, [jpeg(32), jpeg(128)]) == {"MainThread"}


@pytest.mark.parametrize(
    "images",
    [[jpeg(129)], [jpeg(32), picture(0, (32, 32))], [jpeg(128)] * 17],
    ids=["large", "not all JPEG", "many"],
)
def test_what_takes_longer_is_decoded_on_the_pool(
    monkeypatch: pytest.MonkeyPatch, images: list[Encoded]
) -> None:
    assert threads_that_decode(monkeypatch, images) == {"decode"}


def test_one_small_jpeg_can_wait_for_its_batch(decoder: Decoder) -> None:
    small = decoder.defer([jpeg(40)], SPEC)
    assert small is not None
    assert len(small) == 1
    np.testing.assert_array_equal(small.pixels(), decode(decoder, [jpeg(40)]))


def test_a_damaged_one_says_so_when_it_is_decoded(decoder: Decoder) -> None:
    small = decoder.defer([jpeg(40)[:-200]], SPEC)
    assert small is not None
    with pytest.raises(UndecodableImages):
        small.pixels()


@pytest.mark.parametrize(
    "images",
    [[jpeg(129)], [jpeg(32)] * 2, [picture(0)], [b""], [UndecodableImage("not base64")]],
    ids=["large", "two", "not JPEG", "empty", "no bytes"],
)
def test_nothing_else_waits(decoder: Decoder, images: list[Encoded]) -> None:
    assert decoder.defer(images, SPEC) is None


def test_how_long_a_request_took_is_noted() -> None:
    noted: list[float] = []
    made = Decoder(100_000, 1, noted.append)
    decode(made, [picture(0)])
    made.close()
    assert len(noted) == 1
    assert noted[0] > 0
