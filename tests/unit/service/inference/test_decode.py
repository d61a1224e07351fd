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
from service.errors import OversizedImages, UndecodableImages
from service.inference.decode import Decoder
from service.inference.pixel_budget import Encoded, PixelBudget
from tests.support.bundles import picture

SPEC = Preprocess(size_px=8)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder(PixelBudget(100_000), 2, lambda seconds: None)
    yield made
    made.close()


def decode(decoder: Decoder, images: list[Encoded]) -> np.ndarray:
    return asyncio.run(decoder.decode(images, SPEC)).pixels()


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

    monkeypatch.setattr("service.inference.decode.preprocess", watched)
    made = Decoder(PixelBudget(10_000_000), 2, lambda seconds: None)
    decode(made, images)
    made.close()
    return found


def jpeg(side: int) -> bytes:
    with Image.open(BytesIO(picture(0, (side, side)))) as image, BytesIO() as file:
        image.convert("RGB").save(file, "JPEG")
        return file.getvalue()


def test_images_are_decoded_on_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads_that_decode(monkeypatch, [jpeg(32), picture(0)]) == {"decode"}


def test_small_jpegs_can_wait_for_their_batch(decoder: Decoder) -> None:
    images: list[Encoded] = [jpeg(40), jpeg(128), jpeg(8)]
    deferred = decoder.defer(images, SPEC)
    assert deferred is not None
    assert (len(deferred), deferred.effort) == (3, 40**2 + 128**2 + 8**2)
    expected = decode(decoder, images)
    np.testing.assert_array_equal(deferred.pixels(), expected)
    part = deferred[1:][:1]
    assert (len(part), part.effort) == (1, 128**2)
    np.testing.assert_array_equal(part.pixels(), expected[1:2])


def test_any_part_names_every_damaged_one(decoder: Decoder) -> None:
    deferred = decoder.defer([jpeg(40), jpeg(40)[:-200], jpeg(40), jpeg(40)[:-99]], SPEC)
    assert deferred is not None
    assert deferred[:1].pixels().shape == (1, 8, 8, 3)
    for part in (deferred[:2], deferred[3:]):
        with pytest.raises(UndecodableImages) as caught:
            part.pixels()
        assert caught.value.indexes == (1, 3)


@pytest.mark.parametrize(
    "images",
    [[jpeg(129)], [jpeg(32), picture(0)], [b""], [jpeg(8), UndecodableImage("not base64")]],
    ids=["large", "not all JPEG", "empty", "no bytes"],
)
def test_nothing_else_waits(decoder: Decoder, images: list[Encoded]) -> None:
    assert decoder.defer(images, SPEC) is None


def test_a_photograph_waits_where_the_loop_may_decode_it() -> None:
    made = Decoder(PixelBudget(10_000_000), 1, lambda seconds: None, defer_pixels=129**2)
    assert made.defer([jpeg(129)], SPEC) is not None
    assert made.defer([jpeg(129), jpeg(129)], SPEC) is None
    made.close()


def test_how_long_a_request_took_is_noted() -> None:
    noted: list[float] = []
    made = Decoder(PixelBudget(100_000), 1, noted.append)
    decode(made, [picture(0)])
    made.close()
    assert len(noted) == 1
    assert noted[0] > 0
