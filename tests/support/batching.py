"""The batcher on a real thread; the model is a function that the test can hold back."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import Event
from typing import Any

import numpy as np

from service.inference.batch import BatchRecord
from service.inference.batch_limits import Limits
from service.inference.batcher import Batcher
from service.inference.executor import InferenceExecutor
from service.inference.session import Outputs
from service.inference.work import DecodedImages, Pixels
from tests.support.serving import PATIENCE_S


class Model:
    """Answers with each image's first value; blocks while `gate` is closed."""

    def __init__(self) -> None:
        self.gate = Event()
        self.gate.set()
        self.batches: list[list[int]] = []
        self.failing: set[int] = set()

    def infer(self, pixels: Pixels) -> Outputs:
        values = pixels[:, 0, 0, 0].tolist()
        self.batches.append(values)
        assert self.gate.wait(PATIENCE_S)
        if self.failing & set(values):
            raise RuntimeError("the device is lost")
        column = np.array(values, np.float32)[:, None]
        return Outputs(column, column + 1)


class Bench:
    """A batcher on one lane, and what it reported."""

    def __init__(self, limits: Limits, image_s: float = 0.0) -> None:
        self.model = Model()
        self.records: list[BatchRecord] = []
        self.lanes = InferenceExecutor(1)
        observe = self.records.append
        self.batcher = Batcher(self.model.infer, limits, self.lanes, observe, image_s)

    async def ask(self, *values: int) -> list[float]:
        pixels = np.zeros((len(values), 1, 1, 3), np.uint8)
        pixels[:, 0, 0, 0] = values
        with self.batcher.capacity.reserve() as room:
            room.take(len(values))
            outputs = (await self.batcher.run(DecodedImages(pixels))).outputs
        assert outputs.probabilities[:, 0].tolist() == [value + 1 for value in values]
        found: list[float] = outputs.embedding[:, 0].tolist()
        return found

    async def hold(self, *values: int) -> "asyncio.Task[list[float]]":
        """Close the gate with a batch inside."""
        self.model.gate.clear()
        task = asyncio.create_task(self.ask(*values))
        while not self.model.batches or self.model.batches[-1] != list(values):
            await asyncio.sleep(0.001)
        return task


LIMITS = Limits(queue_items=100, max_batch=4)


def on_loop(
    scenario: Callable[[Bench], Coroutine[Any, Any, None]],
    limits: Limits = LIMITS,
    image_s: float = 0.0,
) -> None:
    async def main() -> None:
        bench = Bench(limits, image_s)
        bench.lanes.start()
        try:
            await asyncio.wait_for(scenario(bench), PATIENCE_S)
        finally:
            bench.model.gate.set()
            await bench.lanes.stop()

    asyncio.run(main())
