import asyncio
from collections import deque
from collections.abc import Callable
from threading import Barrier, Event, current_thread

from service.inference.executor import InferenceExecutor
from tests.support.serving import PATIENCE_S


class Job:
    """A batch that does one thing on the lane and one on the loop."""

    def __init__(
        self, run: Callable[[], object], deliver: Callable[[], object], *, brief: bool = False
    ) -> None:
        self.brief = brief
        self._run, self._deliver = run, deliver

    def run(self) -> None:
        self._run()

    def deliver(self) -> None:
        self._deliver()


class Jobs:
    """A source of given jobs."""

    def __init__(self, *jobs: Job | None) -> None:
        self._jobs = deque(jobs)

    @property
    def waiting(self) -> bool:
        return bool(self._jobs)

    batch_waits = False

    def next_batch(self) -> Job | None:
        return self._jobs.popleft()


def nothing() -> None:
    pass


def fail() -> None:
    raise ZeroDivisionError


def run_all(
    count: int, make: Callable[[Callable[[], None]], list[Jobs]], *, on_loop: bool = False
) -> None:
    """Run jobs on lanes until the last one calls what it was given."""

    async def main() -> None:
        done = asyncio.Event()
        lanes = InferenceExecutor(count, on_loop=on_loop)
        lanes.start()
        for source in make(done.set):
            lanes.offer(source)
        await asyncio.wait_for(done.wait(), PATIENCE_S)
        await lanes.stop()

    asyncio.run(main())


def test_a_lane_survives_every_error() -> None:
    ran: list[str] = []
    run_all(
        1,
        lambda done: [
            Jobs(
                Job(fail, nothing), Job(nothing, fail), None, Job(lambda: ran.append("last"), done)
            )
        ],
    )
    assert ran == ["last"]


def test_as_many_batches_run_at_once_as_there_are_lanes() -> None:
    meeting = Barrier(2, timeout=PATIENCE_S)
    run_all(2, lambda done: [Jobs(Job(meeting.wait, nothing), Job(meeting.wait, done))])
    assert not meeting.broken


def test_sources_take_turns() -> None:
    order: list[str] = []

    def jobs(name: str, *last: Callable[[], None]) -> Jobs:
        ends = (nothing, nothing, *(last or (nothing,)))
        return Jobs(*(Job(lambda: order.append(name), end) for end in ends))

    run_all(1, lambda done: [jobs("a"), jobs("b", done)])
    assert order == ["a", "b"] * 3


def test_stopping_waits_for_the_batch_that_runs() -> None:
    async def main() -> None:
        gate, delivered = Event(), Event()
        lanes = InferenceExecutor(1)
        lanes.start()
        lanes.offer(Jobs(Job(lambda: gate.wait(PATIENCE_S), delivered.set)))
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.02, gate.set)
        await lanes.stop()
        assert delivered.is_set()

    asyncio.run(main())


def where() -> str:
    return current_thread().name


def test_brief_batches_run_on_the_loop_where_that_is_wanted() -> None:
    ran: list[tuple[str, str]] = []

    def job(name: str, brief: bool, deliver: Callable[[], object] = nothing) -> Job:
        return Job(lambda: ran.append((name, where())), deliver, brief=brief)

    run_all(
        1,
        lambda done: [
            Jobs(Job(fail, nothing, brief=True), None, job("brief", True)),
            Jobs(job("long", False), job("last", True, done)),
        ],
        on_loop=True,
    )
    assert sorted(ran) == [("brief", "MainThread"), ("last", "MainThread"), ("long", "lane-0")]


def test_the_loop_goes_round_between_brief_batches() -> None:
    order: list[str] = []

    async def main() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        lanes = InferenceExecutor(1, on_loop=True)
        lanes.start()
        first = Job(lambda: loop.call_soon(lambda: order.append("other")), nothing, brief=True)
        second = Job(lambda: order.append("second"), done.set, brief=True)
        lanes.offer(Jobs(first, second))
        await asyncio.wait_for(done.wait(), PATIENCE_S)
        await lanes.stop()

    asyncio.run(main())
    assert order == ["other", "second"]


def test_the_loop_goes_round_while_requests_come() -> None:
    """A batch that is not full waits for them, and one that is does not."""

    def run(full: bool) -> list[str]:
        order: list[str] = []

        async def main() -> None:
            loop, done = asyncio.get_running_loop(), asyncio.Event()
            lanes = InferenceExecutor(1, on_loop=True)
            lanes.start()
            source = Jobs(Job(lambda: order.append("batch"), done.set, brief=True))
            source.batch_waits = full

            def request(more: int) -> None:
                order.append("request")
                lanes.offer(source)
                if more:
                    loop.call_soon(request, more - 1)

            request(2)
            await asyncio.wait_for(done.wait(), PATIENCE_S)
            await asyncio.sleep(0.01)
            await lanes.stop()

        asyncio.run(main())
        return order

    assert run(full=False) == ["request"] * 3 + ["batch"]
    assert run(full=True)[:3] == ["request", "batch", "request"]
