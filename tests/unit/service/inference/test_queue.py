"""The order of requests, and the number that may wait."""

import asyncio
from dataclasses import dataclass

import numpy as np
import pytest

from service.errors import Overloaded
from service.inference.batch_limits import Limits, Pace
from service.inference.queue import Queue
from tests.support.batching import Bench, on_loop


@dataclass(eq=False)
class Job:
    left: int


def served(queue: Queue[Job], room: int) -> list[Job]:
    """One batch: who got something."""
    found = []
    turn = queue.take_turn()
    for job in turn:
        taken = min(room, job.left)
        job.left, room = job.left - taken, room - taken
        found.append(job)
        if not room:
            break
    turn.close()
    return found


def test_the_smallest_and_the_oldest_begin_in_turn() -> None:
    queue: Queue[Job] = Queue()
    large, middle, small = Job(100), Job(20), Job(1)
    for job in (large, middle, small):
        queue.add(job)
    assert served(queue, 4) == [large]
    assert served(queue, 4) == [small, middle]
    assert len(queue) == 2
    assert served(queue, 4) == [large]
    assert served(queue, 4) == [middle]


def test_none_starves_and_none_comes_twice() -> None:
    rng = np.random.default_rng(0)
    queue: Queue[Job] = Queue()
    large = Job(400)
    queue.add(large)
    jobs = []
    for _ in range(200):
        jobs += [Job(int(left)) for left in rng.integers(1, 9, 3)]
        for job in jobs[-3:]:
            queue.add(job)
        got = served(queue, 8)
        assert len(set(map(id, got))) == len(got)
    assert large.left == 0
    while len(queue):
        served(queue, 8)
    assert not any(job.left for job in jobs)


def test_what_waits_no_more_takes_no_memory() -> None:
    queue: Queue[Job] = Queue()
    queue.add(Job(10**6))
    for _ in range(5000):
        gone = Job(3)
        queue.add(gone)
        gone.left = 0
        served(queue, 4)
    assert len(queue._by_age) + len(queue._by_size) < 200


def test_a_single_image_waits_for_no_more_than_two_batches() -> None:
    async def scenario(bench: Bench) -> None:
        held = await bench.hold(1)
        crowd = [asyncio.create_task(bench.ask(*range(10, 13))) for _ in range(20)]
        await asyncio.sleep(0)
        single = asyncio.create_task(bench.ask(99))
        await asyncio.sleep(0)
        bench.model.gate.set()
        await asyncio.gather(held, single, *crowd)
        first = next(i for i, batch in enumerate(bench.model.batches) if 99 in batch)
        assert first <= 2

    on_loop(scenario)


def test_the_room_follows_the_pace() -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.batcher.capacity.limit == 20
        held = await bench.hold(*range(4))
        waiting = asyncio.create_task(bench.ask(*range(16)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            bench.batcher.capacity.reserve().take(6)
        assert (refused.value.limit, refused.value.retry_after_s) == (20, 10)
        with bench.batcher.capacity.reserve() as room:
            room.take(3)  # every second turn goes to the smallest
        bench.model.gate.set()
        await asyncio.gather(held, waiting)
        assert bench.batcher.capacity.limit > 20  # it was faster than it was thought to be
        assert await bench.ask(*range(50)) == list(range(50))  # nobody else is there

    on_loop(scenario, Limits(queue_items=100, max_batch=4, wait_s=10), image_s=0.5)


def test_the_pace_counts_all_that_happens_between_two_batches_with_work() -> None:
    pace = Pace(0.01)
    for step in range(1, 60):
        pace.note(10, 0.1, now=float(step), waiting=True)  # one second passes for each
    assert pace.seconds(10) == pytest.approx(1, rel=0.01)
    for step in range(100, 160):
        pace.note(10, 0.1, now=float(step), waiting=False)
    assert pace.seconds(10) == pytest.approx(0.1, rel=0.01)


def test_one_slow_moment_is_not_the_pace() -> None:
    pace = Pace(0.01)
    pace.note(1, 60.0, now=1.0, waiting=False)
    assert pace.seconds(1) < 0.02
