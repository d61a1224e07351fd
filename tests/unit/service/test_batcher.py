"""The batcher on a real thread; the model is a function that the test can hold back."""

import asyncio
from collections.abc import Callable, Coroutine
from threading import Event
from typing import Any

import numpy as np
import pytest

from service.batcher import Answer, Batcher, BatchRecord, Limits, Work
from service.decode import Deferred, Pixels
from service.errors import Overloaded, Stopping, UndecodableImages
from service.lanes import Lanes
from service.session import Outputs
from tests.serving import PATIENCE_S


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

    def __init__(self, limits: Limits) -> None:
        self.model = Model()
        self.records: list[BatchRecord] = []
        self.lanes = Lanes(1)
        self.batcher = Batcher(self.model.infer, limits, self.lanes, self.records.append)

    async def ask(self, *values: int) -> list[float]:
        pixels = np.zeros((len(values), 1, 1, 3), np.uint8)
        pixels[:, 0, 0, 0] = values
        with self.batcher.admit(len(values)):
            outputs = (await self.batcher.run(pixels)).outputs
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
    scenario: Callable[[Bench], Coroutine[Any, Any, None]], limits: Limits = LIMITS
) -> None:
    async def main() -> None:
        bench = Bench(limits)
        bench.lanes.start()
        try:
            await asyncio.wait_for(scenario(bench), PATIENCE_S)
        finally:
            bench.model.gate.set()
            await bench.lanes.stop()

    asyncio.run(main())


def test_a_request_gets_its_own_rows_in_order() -> None:
    async def scenario(bench: Bench) -> None:
        answers = await asyncio.gather(*(bench.ask(i, i + 100) for i in range(20)))
        assert answers == [[i, i + 100] for i in range(20)]

    on_loop(scenario)


def test_while_one_batch_runs_the_next_fills() -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.hold(1)
        others = [asyncio.create_task(bench.ask(i)) for i in (2, 3, 4, 5, 6)]
        await asyncio.sleep(0)
        bench.model.gate.set()
        assert await first == [1]
        assert [await other for other in others] == [[2], [3], [4], [5], [6]]
        assert bench.model.batches == [[1], [2, 3, 4, 5], [6]]
        assert [record.items for record in bench.records] == [1, 4, 1]

    on_loop(scenario)


def test_a_large_request_is_split_and_joined() -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.ask(*range(10)) == list(range(10))
        assert bench.model.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    on_loop(scenario)


def test_beyond_the_limit_requests_are_refused_at_once() -> None:
    async def scenario(bench: Bench) -> None:
        held = await bench.hold(1, 2)
        with pytest.raises(Overloaded) as caught:
            await bench.ask(3, 4)
        assert caught.value.limit == 3
        last = asyncio.create_task(bench.ask(5))
        await asyncio.sleep(0)
        assert bench.batcher.items == 3
        bench.model.gate.set()
        assert (await held, await last) == ([1, 2], [5])
        assert bench.batcher.items == 0
        assert await bench.ask(6, 7, 8) == [6, 7, 8]

    on_loop(scenario, Limits(queue_items=3, max_batch=4))


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
        assert bench.batcher.items == 0

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
        assert bench.batcher.items == 0

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

        lanes = Lanes(1)
        batcher = Batcher(Model().infer, Limits(9, 9), lanes, refuse)
        lanes.start()
        with pytest.raises(ValueError, match="no"):
            await batcher.run(np.zeros((2, 1, 1, 3), np.uint8))
        answered = await batcher.run(np.zeros((1, 1, 1, 3), np.uint8))
        assert len(answered.outputs.embedding) == 1
        await lanes.stop()

    asyncio.run(scenario())


def test_a_model_that_answers_with_too_few_rows_fails_its_batch() -> None:
    async def scenario() -> None:
        lanes = Lanes(1)
        nothing = Outputs(np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32))
        batcher = Batcher(lambda _: nothing, LIMITS, lanes, lambda _: None)
        lanes.start()
        with pytest.raises(RuntimeError, match="0 answers for 1 images"):
            await batcher.run(np.zeros((1, 1, 1, 3), np.uint8))
        await lanes.stop()

    asyncio.run(scenario())


def test_a_huge_request_lets_small_ones_pass_between_its_parts() -> None:
    async def scenario(bench: Bench) -> None:
        held = await bench.hold(1)
        huge = asyncio.create_task(bench.ask(*range(10, 22)))
        small = [asyncio.create_task(bench.ask(i)) for i in (2, 3)]
        await asyncio.sleep(0)
        bench.model.gate.set()
        assert [await one for one in small] == [[2], [3]]
        assert (await held, await huge) == ([1], list(range(10, 22)))
        assert bench.model.batches == [
            [1],
            [10, 11, 12, 13],
            [2, 3, 14, 15],
            [16, 17, 18, 19],
            [20, 21],
        ]

    on_loop(scenario)


def test_models_take_turns() -> None:
    async def scenario(bench: Bench) -> None:
        other = Batcher(bench.model.infer, LIMITS, bench.lanes, bench.records.append)
        held = await bench.hold(1)
        busy = asyncio.create_task(bench.ask(*range(10, 22)))
        await asyncio.sleep(0)
        late = asyncio.create_task(other.run(np.full((1, 1, 1, 3), 5, np.uint8)))
        await asyncio.sleep(0)
        bench.model.gate.set()
        await asyncio.gather(held, busy, late)
        assert [5] in bench.model.batches[:3]

    on_loop(scenario)


def test_an_answer_says_what_it_took() -> None:
    async def scenario(bench: Bench) -> None:
        held = await bench.hold(1)
        waiting = [
            asyncio.create_task(bench.batcher.run(np.full((1, 1, 1, 3), i, np.uint8)))
            for i in (2, 3)
        ]
        await asyncio.sleep(0.02)
        bench.model.gate.set()
        await held
        for answered in await asyncio.gather(*waiting):
            assert answered.batch_items == 2
            assert answered.queue_s >= 0.02
            assert answered.inference_s > 0
        assert bench.records[1].waited_s >= 0.02

    on_loop(scenario)


def test_stopping_finishes_what_runs_and_tells_whoever_waits() -> None:
    async def scenario() -> None:
        bench = Bench(LIMITS)
        bench.lanes.start()
        held = await bench.hold(1)
        waiting = asyncio.create_task(bench.ask(2))
        await asyncio.sleep(0)
        bench.batcher.stop()
        bench.model.gate.set()
        await bench.lanes.stop()
        assert await held == [1]
        with pytest.raises(Stopping):
            await waiting
        with pytest.raises(Stopping):
            await bench.ask(3)

    asyncio.run(scenario())


def test_many_requests_of_every_size_come_through() -> None:
    async def scenario(bench: Bench) -> None:
        rng = np.random.default_rng(0)
        sizes = rng.integers(1, 12, 200).tolist()
        asked = [rng.integers(0, 200, size).tolist() for size in sizes]
        tasks = [asyncio.create_task(bench.ask(*values)) for values in asked]
        for task in tasks[::7]:
            asyncio.get_running_loop().call_later(0.001, task.cancel)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for values, answer in zip(asked, answers, strict=True):
            assert answer == values or isinstance(answer, asyncio.CancelledError)
        assert max(map(len, bench.model.batches)) <= 4
        assert bench.batcher.items == 0

    on_loop(scenario, Limits(queue_items=10_000, max_batch=4))


class Undecoded(Deferred):
    """An image of one value; a negative one is damaged, and 99 shows a defect of the decoder."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __len__(self) -> int:
        return 1

    def __getitem__(self, part: slice) -> "Undecoded":
        return self

    @property
    def effort(self) -> int:
        return 1

    def pixels(self) -> Pixels:
        if self.value < 0:
            raise UndecodableImages((0,), ("truncated",))
        if self.value == 99:
            raise ZeroDivisionError
        return np.full((1, 1, 1, 3), self.value, np.uint8)


def test_small_images_are_decoded_in_their_batch_and_fail_alone() -> None:
    async def scenario(bench: Bench) -> None:
        running = await bench.hold(1)
        several = np.full((2, 1, 1, 3), 7, np.uint8)
        works: list[Work] = [several, *map(Undecoded, (2, -1, 3, 99))]
        asked = [asyncio.create_task(bench.batcher.run(work)) for work in works]
        await asyncio.sleep(0)
        bench.model.gate.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found = [one.outputs.embedding[:, 0].tolist() for one in answers if isinstance(one, Answer)]
        assert found == [[7, 7], [2], [3]]
        assert [type(one) for one in answers[2::2]] == [UndecodableImages, ZeroDivisionError]
        assert bench.model.batches == [[1], [7, 7, 2, 3]]
        assert (bench.records[0].decode_s, bench.records[1].decode_s > 0) == (0, True)
        assert await running == [1]

    on_loop(scenario, Limits(queue_items=100, max_batch=6))


def test_a_batch_of_nothing_but_damaged_images_is_not_run() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(UndecodableImages):
            await bench.batcher.run(Undecoded(-1))
        assert bench.model.batches == []
        assert await bench.ask(5) == [5]

    on_loop(scenario)


class Photo(Undecoded):
    @property
    def effort(self) -> int:
        return 3 * 2**20


def test_a_batch_decodes_no_more_than_what_is_brief() -> None:
    async def scenario(bench: Bench) -> None:
        asked = [asyncio.create_task(bench.batcher.run(Photo(value))) for value in range(5)]
        await asyncio.gather(*asked)
        assert bench.model.batches == [[0, 1], [2, 3], [4]]

    on_loop(scenario)
