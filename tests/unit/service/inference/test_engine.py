"""Several engines on the same images; the models are functions that the test holds back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from models.preprocess import MAX_PIXELS
from models.store import Store
from service.inference.batch_limits import Limits
from service.inference.batcher import Batcher
from service.inference.decode import Decoder
from service.inference.device import CPU
from service.inference.engine import Engine, answer_with_all, reserve_with_all
from service.inference.executor import InferenceExecutor
from service.inference.loader import Loader
from service.inference.pixel_budget import PixelBudget
from service.inference.session import Outputs
from service.inference.work import Pixels
from tests.support.bundles import picture, publish
from tests.support.serving import PATIENCE_S

IMAGES = [picture(seed) for seed in range(10)]


def test_where_one_model_fails_the_others_stop_working(tmp_path: Path) -> None:
    publish(tmp_path, "arcface")
    model = Loader(Store(tmp_path), CPU, 1).load("arcface", 1)
    go_on, begun = Event(), list[int]()

    def fail(_: Pixels) -> Outputs:
        raise RuntimeError("the device is lost")

    def wait(pixels: Pixels) -> Outputs:
        begun.append(len(pixels))
        assert go_on.wait(PATIENCE_S)
        return Outputs(
            np.zeros((len(pixels), 4), np.float32), np.zeros((len(pixels), 10), np.float32)
        )

    async def ask() -> None:
        lanes, decoder = (
            InferenceExecutor(2),
            Decoder(PixelBudget(MAX_PIXELS), 2, lambda seconds: None),
        )

        def engine(infer: Callable[[Pixels], Outputs]) -> Engine:
            batcher = Batcher(infer, Limits(16, max_batch=2), lanes, lambda record: None)
            return Engine(model, decoder, batcher)

        engines = [engine(wait), engine(fail)]
        lanes.start()
        lost = pytest.raises(RuntimeError, match="the device is lost")
        with lost, reserve_with_all(engines) as rooms:
            await answer_with_all(decoder, engines, IMAGES, rooms)
        assert [one.batcher.capacity.items for one in engines] == [0, 0]
        go_on.set()
        await lanes.stop()
        assert not any(one.batcher.next_batch() for one in engines)
        decoder.close()

    asyncio.run(ask())
    assert len(begun) < len(IMAGES) / 2
