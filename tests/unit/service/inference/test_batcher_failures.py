"""Clients that leave, failures and stops: each costs its own requests and no more."""

import asyncio

import numpy as np
import pytest

from service.errors import Stopping
from service.inference.batch import BatchRecord
from service.inference.batch_limits import Limits
from service.inference.batcher import Batcher
from service.inference.executor import InferenceExecutor
from service.inference.session import Outputs
from service.inference.work import DecodedImages
from tests.support.batching import LIMITS, Bench, Model, on_loop
from tests.support.serving import PATIENCE_S


def test_a_cancelled_request_costs_no_inference() -> None:
    async def scenario(bench: Bench) -> None:
        held = await bench.hold(1)
        leaving, staying = (asyncio.create_task(bench.ask(i)) for i in (2, 3))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        bench.model.gate.set()
        assert (await held, await staying) == ([1], [3])
        assert bench.model.batches == [[1], [3]]
        assert bench.batcher.capacity.items == 0

    on_loop(scenario)


def test_a_request_cancelled_while_it_runs_disturbs_no_other() -> None:
    async def scenario(bench: Bench) -> None:
        held = await bench.hold(1)
        held.cancel()
        staying = asyncio.create_task(bench.ask(2))
        await asyncio.wait([held])
        bench.model.gate.set()
        assert await staying == [2]

    on_loop(scenario)


def test_a_failing_batch_fails_its_own_requests_and_no_more() -> None:
    async def scenario(bench: Bench) -> None:
        bench.model.failing = {2}
        held = await bench.hold(1)
        together = [asyncio.create_task(bench.ask(i)) for i in (2, 3, 4, 5)]
        after = asyncio.create_task(bench.ask(6))
        await asyncio.sleep(0)
        bench.model.gate.set()
        assert await held == [1]
        failed = await asyncio.gather(*together, return_exceptions=True)
        assert [str(error) for error in failed] == ["the device is lost"] * 4
        assert await after == [6]
        assert bench.batcher.capacity.items == 0

    on_loop(scenario)


def test_a_failing_part_fails_the_whole_large_request() -> None:
    async def scenario(bench: Bench) -> None:
        bench.model.failing = {0}
        with pytest.raises(RuntimeError, match="lost"):
            await bench.ask(*range(12))
        assert await bench.ask(13) == [13]

    on_loop(scenario)


def test_an_observer_that_raises_fails_its_batch_and_no_more() -> None:
    async def scenario() -> None:
        def refuse(record: BatchRecord) -> None:
            if record.items == 2:
                raise ValueError("no")

        lanes = InferenceExecutor(1)
        batcher = Batcher(Model().infer, Limits(9, 9), lanes, refuse)
        lanes.start()
        with pytest.raises(ValueError, match="no"):
            await batcher.run(DecodedImages(np.zeros((2, 1, 1, 3), np.uint8)))
        answered = await batcher.run(DecodedImages(np.zeros((1, 1, 1, 3), np.uint8)))
        assert len(answered.outputs.embedding) == 1
        await lanes.stop()

    asyncio.run(scenario())


def test_a_model_that_answers_with_too_few_rows_fails_its_batch() -> None:
    async def scenario() -> None:
        lanes = InferenceExecutor(1)
        nothing = Outputs(np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32))
        batcher = Batcher(lambda _: nothing, LIMITS, lanes, lambda _: None)
        lanes.start()
        with pytest.raises(RuntimeError, match="0 answers for 1 images"):
            await batcher.run(DecodedImages(np.zeros((1, 1, 1, 3), np.uint8)))
        await lanes.stop()

    asyncio.run(scenario())


def test_stopping_finishes_what_runs_and_tells_whoever_waits() -> None:
    async def scenario() -> None:
        bench = Bench(LIMITS)
        bench.lanes.start()
        held = await bench.hold(1)
        waiting = [asyncio.create_task(bench.ask(*some)) for some in ((2,), range(10, 16))]
        await asyncio.sleep(0)
        bench.batcher.stop()
        bench.model.gate.set()
        await bench.lanes.stop()
        assert await held == [1]
        for request in waiting:
            with pytest.raises(Stopping):
                await asyncio.wait_for(request, PATIENCE_S)
        with pytest.raises(Stopping):
            await bench.ask(3)

    asyncio.run(scenario())
