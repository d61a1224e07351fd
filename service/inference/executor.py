"""The executor of batches: threads, or the event loop itself; shared fairly by all models."""

import asyncio
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

import structlog

_MOST_ROUNDS = 8  # of the event loop before a batch

log = structlog.get_logger(__name__)


class Runnable(Protocol):
    """Work for one lane."""

    brief: bool  # takes no longer than the event loop may be away

    def run(self) -> None:
        """Do it; keeps its own errors."""
        ...

    def deliver(self) -> None:
        """Hand out what came of it, on the event loop."""
        ...


class Source(Protocol):
    """A source of batches: the queue of one model."""

    def next_batch(self) -> Runnable | None:
        """Take what a lane should run now; None where nothing is left."""
        ...

    @property
    def waiting(self) -> bool:
        """Return whether another batch may wait to be taken."""
        ...

    @property
    def batch_waits(self) -> bool:
        """Return whether the next batch can grow no more."""
        ...


class InferenceExecutor:
    """`count` threads, one batch at a time on each. Use it on one event loop.

    A batch is taken when a lane is free and never waits for more to come; it is taken at the end
    of the loop's round, so that requests which arrived together leave together. While every lane
    is busy the queues fill. Models with work take turns.

    With `on_loop`, the event loop runs brief batches itself. A process with one processor gains
    from that: threads would only take the processor from one another. Before a batch that is not
    full the loop goes round while each round brings requests: it accepts one connection in each.
    """

    def __init__(self, count: int, *, on_loop: bool = False) -> None:
        self._on_loop = on_loop
        self._idle = count
        self._rounds_left = 0
        self._came = False
        self._turns: deque[Source] = deque()
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: SimpleQueue[Runnable | None] = SimpleQueue()
        self._threads = [
            Thread(target=self._work, name=f"lane-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Begin to work for the running event loop."""
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """Finish the batches that run, then end the threads."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)  # the last batches are delivered

    def offer(self, source: Source) -> None:
        """Say that a source has work."""
        self._came = True
        if source not in self._turns:
            self._turns.append(source)
        if self._idle:
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._rounds_left = _MOST_ROUNDS if self._on_loop else 0
            self._events.call_soon(self._dispatch)

    @property
    def _events(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the lanes were not started")
        return self._loop

    def _dispatch(self) -> None:
        if self._goes_round():
            self._came = False
            self._rounds_left -= 1
            self._events.call_soon(self._dispatch)
            return
        self._scheduled = False
        while self._idle and self._turns:
            source = self._turns.popleft()
            batch = source.next_batch()
            if source.waiting:
                self._turns.append(source)
            if batch is None:
                continue
            if self._on_loop and batch.brief:
                _attempt(batch.run)
                _attempt(batch.deliver)
                break
            self._idle -= 1
            self._jobs.put(batch)
        if self._idle and self._turns:
            self._schedule()

    def _goes_round(self) -> bool:
        may_grow = bool(self._turns) and not self._turns[0].batch_waits
        return may_grow and self._came and self._rounds_left > 0

    def _work(self) -> None:
        while (batch := self._jobs.get()) is not None:
            _attempt(batch.run)
            self._events.call_soon_threadsafe(self._finish, batch)

    def _finish(self, batch: Runnable) -> None:
        self._idle += 1
        _attempt(batch.deliver)
        self._dispatch()


def _attempt(step: Callable[[], None]) -> None:
    """A lane survives whatever a batch does: the error is logged, and the next batch runs."""
    try:
        step()
    except Exception:
        log.exception("a batch could not be handled")
