"""The budget of a request, and the work that is dropped when nobody waits."""

import asyncio
import gc
from io import BytesIO
from time import sleep

import numpy as np
import pytest
from PIL import Image

from models.errors import UndecodableImage
from models.jpeg import Header
from models.manifest import Preprocess
from service.errors import Overloaded, OversizedImages, TooManyPixels, UndecodableImages
from service.inference.decode import Decoder, DecodeWith
from service.inference.pixel_budget import Encoded, PixelBudget
from service.inference.work import DecodedImages
from tests.support.bundles import picture

SPEC = Preprocess(size_px=8)


def blank(side: int, kind: str = "GIF") -> bytes:
    with BytesIO() as file:
        Image.new("L", (side, side)).save(file, kind)
        return file.getvalue()


def decode(budget: PixelBudget, images: list[Encoded], at_once: int = 1) -> list[object]:
    async def main() -> list[object]:
        decoder = Decoder(budget, 1, lambda seconds: None)
        try:
            asked = [decoder.decode(images, SPEC) for _ in range(at_once)]
            return list(await asyncio.gather(*asked, return_exceptions=True))
        finally:
            decoder.close()

    return asyncio.run(main())


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    seen = []

    def slow(data: bytes, spec: Preprocess, most: int, header: Header | None) -> np.ndarray:
        seen.append(data)
        sleep(0.05)
        return np.zeros((8, 8, 3), np.uint8)

    monkeypatch.setattr("service.inference.decode.preprocess", slow)
    return seen


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_the_pixels_of_a_request_are_counted_from_headers(kind: str, decoded: list[bytes]) -> None:
    image = blank(1000, kind)
    budget = PixelBudget(2_000_000, 3_000_000 - 4 * 64 * len(image))
    (refused,) = decode(budget, [image] * 4)
    assert isinstance(refused, TooManyPixels)
    assert (refused.pixels, refused.limit) == (4_000_000, 3_000_000)
    assert decoded == []


def test_an_image_over_its_own_limit_is_named_for_that() -> None:
    (refused,) = decode(PixelBudget(10_000, 20_000), [blank(1000)] * 4)
    assert isinstance(refused, OversizedImages)
    assert refused.indexes == (0, 1, 2, 3)


def test_what_cannot_be_decoded_in_time_is_refused_at_once(decoded: list[bytes]) -> None:
    found = decode(PixelBudget(2_000_000, wait_s=0.015), [blank(1000)], at_once=3)
    assert [type(one) for one in found] == [DecodedImages, Overloaded, Overloaded]
    assert len(decoded) == 1


def test_requests_take_turns(decoded: list[bytes]) -> None:
    async def main() -> None:
        decoder = Decoder(PixelBudget(2_000_000), 1, lambda seconds: None)
        large = asyncio.create_task(decoder.decode([blank(1024)] * 8, SPEC))
        await asyncio.sleep(0.01)
        await decoder.decode([picture(0)], SPEC)
        assert len(decoded) <= 4
        await large
        decoder.close()

    asyncio.run(main())


@pytest.mark.parametrize("side", [1024, 16])
def test_images_that_nobody_waits_for_are_not_decoded(side: int, decoded: list[bytes]) -> None:
    async def main() -> None:
        decoder = Decoder(PixelBudget(2_000_000), 1, lambda seconds: None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(decoder.decode([blank(side)] * 8, SPEC), 0.12)
        so_far = len(decoded)
        await asyncio.sleep(0.2)
        assert len(decoded) == so_far < 8
        (again,) = await asyncio.gather(decoder.decode([blank(16)], SPEC))
        assert len(again) == 1
        decoder.close()

    asyncio.run(main())


def test_images_with_something_else_made_of_them_have_the_same_budget() -> None:
    begun: list[tuple[int, ...]] = []

    def shape_of(preview: np.ndarray) -> tuple[int, ...]:
        begun.append(preview.shape)
        return preview.shape

    async def main() -> None:
        image = blank(1000)
        extra = DecodeWith(50, shape_of)
        decoder = Decoder(PixelBudget(2_000_000, 1_500_000 - 128 * len(image)), 1, lambda _: None)
        with pytest.raises(TooManyPixels):
            await decoder.decode_with([image, image], SPEC, extra)
        assert begun == []
        decoded, shapes = await decoder.decode_with([image], SPEC, extra)
        assert (decoded.pixels().shape, shapes) == ((1, 8, 8, 3), [(50, 50, 3)])
        with pytest.raises(UndecodableImages) as refused:
            await decoder.decode_with([image, b"bad", UndecodableImage("why")], SPEC, extra)
        assert refused.value.indexes == (1, 2)
        decoder.close()

    asyncio.run(main())


class Body(bytes):
    """Bytes that say when nothing holds them any more."""

    gone = False

    def __del__(self) -> None:
        Body.gone = True


@pytest.mark.parametrize("bad", [b"\xff\xd8\xff\xe0 no JPEG", b"GIF89a?", blank(300)])
def test_an_error_does_not_hold_the_body(bad: bytes) -> None:
    async def main() -> None:
        decoder = Decoder(PixelBudget(10_000), 1, lambda _: None)
        with pytest.raises((UndecodableImages, OversizedImages)):
            await decoder.decode([Body(bad)], SPEC)
        decoder.close()

    Body.gone = False
    gc.disable()
    try:
        asyncio.run(main())
        assert Body.gone
    finally:
        gc.enable()
