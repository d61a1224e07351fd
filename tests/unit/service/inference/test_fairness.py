"""Requests that cost the most allowed do not have ordinary ones refused, nor make them wait."""

import asyncio
from io import BytesIO
from threading import Event, Lock

import numpy as np
import pytest
from PIL import Image

from models.jpeg import Header
from models.manifest import Preprocess
from service.errors import Overloaded
from service.inference.batch_limits import Limits, ahead
from service.inference.decode import Decoder
from service.inference.pixel_budget import PixelBudget
from service.inference.work import DecodedImages
from tests.support.batching import Bench
from tests.support.serving import PATIENCE_S

SPEC = Preprocess(size_px=8)


def blank(side: int) -> bytes:
    with BytesIO() as file:
        Image.new("L", (side, side)).save(file, "PNG")
        return file.getvalue()


BOMB, ORDINARY = blank(3000), blank(100)


class Held:
    """In the place of `preprocess`: holds bombs back while its gate is closed."""

    def __init__(self) -> None:
        self.gate = Event()
        self.begun: list[bytes] = []
        self.bombs = self.most_bombs = 0
        self._lock = Lock()

    def __call__(
        self, data: bytes, spec: Preprocess, most: int, header: Header | None
    ) -> np.ndarray:
        self.begun.append(data)
        if data == BOMB:
            with self._lock:
                self.bombs += 1
                self.most_bombs = max(self.most_bombs, self.bombs)
            assert self.gate.wait(PATIENCE_S)
            with self._lock:
                self.bombs -= 1
        return np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    found = Held()
    monkeypatch.setattr("service.inference.decode.preprocess", found)
    return found


def test_an_ordinary_image_is_decoded_while_large_ones_are(held: Held) -> None:
    async def main() -> None:
        decoder = Decoder(PixelBudget(10**7), 1, lambda seconds: None)
        bombs = [asyncio.create_task(decoder.decode([BOMB, BOMB], SPEC)) for _ in range(2)]
        while not held.begun:
            await asyncio.sleep(0.001)
        async with asyncio.timeout(PATIENCE_S):
            await decoder.decode([ORDINARY], SPEC)
        assert not any(bomb.done() for bomb in bombs)
        held.gate.set()
        await asyncio.gather(*bombs)
        decoder.close()

    asyncio.run(main())


def test_an_ordinary_image_is_not_refused_for_the_pixels_of_large_ones(held: Held) -> None:
    async def main() -> None:
        decoder = Decoder(PixelBudget(10**7, wait_s=0.15), 1, lambda seconds: None)
        bomb = asyncio.create_task(decoder.decode([BOMB, BOMB], SPEC))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await decoder.decode([BOMB], SPEC)
        await decoder.decode([ORDINARY], SPEC)
        held.gate.set()
        await bomb
        decoder.close()

    asyncio.run(main())


def test_many_cheap_images_do_not_refuse_a_single_one(held: Held) -> None:
    image = blank(1024)

    async def main() -> list[object]:
        decoder = Decoder(PixelBudget(10**7, wait_s=0.05), 1, lambda seconds: None)
        asked = [decoder.decode([image] * 8, SPEC), decoder.decode([ORDINARY], SPEC)]
        try:
            return list(await asyncio.gather(*asked, return_exceptions=True))
        finally:
            decoder.close()

    assert [type(one) for one in asyncio.run(main())] == [DecodedImages, DecodedImages]


def test_no_more_than_half_of_the_threads_decode_large_images(held: Held) -> None:
    async def main() -> None:
        decoder = Decoder(PixelBudget(10**7), 4, lambda seconds: None)
        bombs = [asyncio.create_task(decoder.decode([BOMB], SPEC)) for _ in range(6)]
        while len(held.begun) < 2:
            await asyncio.sleep(0.001)
        await decoder.decode([ORDINARY], SPEC)
        held.gate.set()
        await asyncio.gather(*bombs)
        decoder.close()

    asyncio.run(main())
    assert held.most_bombs == 2
    assert held.begun.index(ORDINARY) == 2


def test_images_being_decoded_for_a_large_request_refuse_no_small_one() -> None:
    async def main() -> None:
        bench = Bench(Limits(queue_items=1000, max_batch=4, wait_s=1.0), image_s=0.01)
        with bench.batcher.capacity.reserve() as room:
            room.take(99)
            with pytest.raises(Overloaded):
                bench.batcher.capacity.reserve().take(99)
            bench.batcher.capacity.reserve().take(1)
            bench.batcher.capacity.reserve().take(8)

    asyncio.run(main())


def test_small_requests_refuse_each_other_where_they_take_too_long() -> None:
    async def main() -> None:
        bench = Bench(Limits(queue_items=1000, max_batch=4, wait_s=0.1), image_s=0.01)
        for _ in range(10):
            bench.batcher.capacity.reserve().take(1)
        with pytest.raises(Overloaded):
            bench.batcher.capacity.reserve().take(1)

    asyncio.run(main())


def test_a_request_waits_for_no_more_than_there_is() -> None:
    assert ahead(held=10, requests=10, cost=1) == 10
    assert ahead(held=300, requests=3, cost=1) == 6
