import asyncio

import numpy as np
import pytest

from service.errors import Overloaded, UndecodableImages
from service.inference.batch import Answer
from service.inference.batch_limits import Limits, cpu_limits
from service.inference.batcher import Batcher
from service.inference.work import DecodedImages, Pixels, Work
from tests.support.batching import LIMITS, Bench, on_loop


def one(value: int) -> DecodedImages:
    return DecodedImages(np.full((1, 1, 1, 3), value, np.uint8))


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
        assert bench.batcher.capacity.items == 3
        bench.model.gate.set()
        assert (await held, await last) == ([1, 2], [5])
        assert bench.batcher.capacity.items == 0
        assert await bench.ask(6, 7, 8) == [6, 7, 8]

    on_loop(scenario, Limits(queue_items=3, max_batch=4))


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


def test_huge_requests_are_answered_one_after_the_other() -> None:
    """By turns all of them would be answered at the end: under load, past every deadline."""

    async def scenario(bench: Bench) -> None:
        held = await bench.hold(1)
        huge = [asyncio.create_task(bench.ask(*range(at, at + 6))) for at in (10, 20, 30)]
        await asyncio.sleep(0)
        small = asyncio.create_task(bench.ask(2))
        await asyncio.sleep(0)
        bench.model.gate.set()
        await asyncio.gather(held, small, *huge)
        assert bench.model.batches == [
            [1],
            [10, 11, 12, 13],
            [2, 14, 15, 20],
            [21, 22, 23, 24],
            [25, 30, 31, 32],
            [33, 34, 35],
        ]

    on_loop(scenario)


def test_models_take_turns() -> None:
    async def scenario(bench: Bench) -> None:
        other = Batcher(bench.model.infer, LIMITS, bench.lanes, bench.records.append)
        held = await bench.hold(1)
        busy = asyncio.create_task(bench.ask(*range(10, 22)))
        await asyncio.sleep(0)
        late = asyncio.create_task(other.run(one(5)))
        await asyncio.sleep(0)
        bench.model.gate.set()
        await asyncio.gather(held, busy, late)
        assert [5] in bench.model.batches[:3]

    on_loop(scenario)


def test_an_answer_says_what_it_took() -> None:
    async def scenario(bench: Bench) -> None:
        held = await bench.hold(1)
        waiting = [asyncio.create_task(bench.batcher.run(one(i))) for i in (2, 3)]
        await asyncio.sleep(0.02)
        bench.model.gate.set()
        await held
        for answered in await asyncio.gather(*waiting):
            assert answered.batch_items == 2
            assert answered.queue_s >= 0.02
            assert answered.inference_s > 0
        assert bench.records[1].waited_s >= 0.02

    on_loop(scenario)


def test_a_large_answer_says_what_all_its_batches_took() -> None:
    async def scenario(bench: Bench) -> None:
        answered = await bench.batcher.run(DecodedImages(np.zeros((10, 1, 1, 3), np.uint8)))
        assert [record.items for record in bench.records] == [4, 4, 2]
        took_s = sum(record.inference_s for record in bench.records)
        assert answered.inference_s == pytest.approx(took_s)
        assert answered.queue_s <= max(record.waited_s for record in bench.records)

    on_loop(scenario)


def test_the_size_of_batches_is_learned_while_serving() -> None:
    async def scenario(bench: Bench) -> None:
        start = cpu_limits(100, image_s=10.0)  # a busy start
        assert start.max_batch == 1
        batcher = Batcher(
            bench.model.infer, start, bench.lanes, bench.records.append, 10.0, learns=True
        )
        await batcher.run(one(1))
        assert batcher.limits.max_batch > 1
        assert batcher.capacity.batch == batcher.limits.max_batch
        await batcher.run(DecodedImages(np.zeros((2, 1, 1, 3), np.uint8)))
        assert bench.records[-1].items == 2

    on_loop(scenario)


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
        assert bench.batcher.capacity.items == 0

    on_loop(scenario, Limits(queue_items=10_000, max_batch=4))


class Undecoded:
    """An image of one value; a negative one is damaged, and 99 shows a defect of the decoder."""

    decoded_s = 0.0

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
        several = DecodedImages(np.full((2, 1, 1, 3), 7, np.uint8))
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


def test_a_batch_is_brief_by_its_images() -> None:
    async def scenario(bench: Bench) -> None:
        asked = [asyncio.create_task(bench.ask(*values)) for values in ([1, 2], [3, 4], [5, 6])]
        await asyncio.sleep(0)
        batches = [bench.batcher.next_batch() for _ in range(2)]
        assert [batch is not None and batch.brief for batch in batches] == [False, True]
        for batch in batches:
            assert batch is not None
            batch.run()
            batch.deliver()
        assert await asyncio.gather(*asked) == [[1, 2], [3, 4], [5, 6]]

    on_loop(scenario, Limits(queue_items=100, max_batch=4, brief=2))
