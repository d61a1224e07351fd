"""Decoding that waits for the same few threads: the cheapest and the oldest request in turn."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import perf_counter
from typing import Any, TypeVar

from service.errors import Overloaded
from service.inference.batch_limits import Pace, ahead
from service.inference.pixel_budget import Encoded, Task
from service.inference.queue import Queue

_PIXEL_S = 10e-9  # until it is measured

_E = TypeVar("_E", bytes, Encoded)
_T = TypeVar("_T")
Work = Callable[[_E, Event], _T]
"""Makes something of an image. The event is set once nobody waits for it any more."""


class DecodeQueue:
    """Requests of one kind of cost. Use it on one event loop.

    Dearer requests delay a request by no more than one task and its own kind do, as every second
    turn is that of the cheapest.
    """

    def __init__(self, name: str, threads: int, wait_s: float) -> None:
        """Prepare `threads` threads."""
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._threads = self._idle = threads
        self._wait_s = wait_s
        self._pace = Pace(_PIXEL_S)
        self._pixels = self._requests = 0  # waiting or in work
        self._queue: Queue[_DecodeRequest] = Queue()
        self._closed = False

    def check_room(self, pixels: int) -> None:
        """Raise Overloaded where so many pixels would wait too long."""
        limit = self._threads * self._pace.items(self._wait_s)
        if self._pixels and ahead(self._pixels, self._requests, pixels) + pixels > limit:
            retry_s = min(self._pace.seconds(self._pixels) / self._threads, self._wait_s)
            raise Overloaded(limit, max(1, math.ceil(retry_s)), "pixels")

    async def run(self, tasks: Sequence[Task[_E]], work: Work[_E, _T]) -> list[_T]:
        """Apply the work to each image, in order.

        When the caller is cancelled, images that have not begun are dropped.
        """
        if not tasks:
            return []
        answer: asyncio.Future[list[_T]] = asyncio.get_running_loop().create_future()
        request = _DecodeRequest(tasks, work, answer)
        pixels = request.left
        self._pixels += pixels
        self._requests += 1
        self._queue.add(request)
        self._dispatch()
        try:
            return await answer
        finally:
            self._pixels -= pixels
            self._requests -= 1
            request.dropped.set()

    def close(self) -> None:
        """Stop the threads; what has not begun is dropped."""
        self._closed = True
        for request in self._queue.clear():
            request.answer.cancel()
        self.pool.shutdown(cancel_futures=True)

    def _dispatch(self) -> None:
        while self._idle and not self._closed:
            turn = self._queue.take_turn()
            request = next(turn, None)
            if request is None:
                return
            place, task = request.take()
            turn.close()
            self._idle -= 1
            do_all = partial(_do_all, task.images, request.work, request.dropped)
            begun = asyncio.get_running_loop().run_in_executor(self.pool, do_all)
            begun.add_done_callback(partial(self._finish, request, place, task.effort))

    def _finish(
        self,
        request: "_DecodeRequest",
        place: int,
        effort: int,
        done: asyncio.Future[tuple[list[Any], float]],
    ) -> None:
        self._idle += 1
        if done.cancelled():
            request.answer.cancel()
        elif error := done.exception():
            request.fail(error)
        else:
            made, took_s = done.result()
            if effort and not request.dropped.is_set():
                self._pace.note(effort, took_s, perf_counter(), waiting=False)
            request.give(place, made)
        self._dispatch()


class _DecodeRequest:
    __slots__ = ("_left", "_made", "_taken", "_tasks", "answer", "dropped", "work")

    def __init__(
        self,
        tasks: Sequence[Task[Any]],
        work: Work[Any, Any],
        answer: asyncio.Future[list[Any]],
    ) -> None:
        self.work = work
        self.answer = answer
        self.dropped = Event()  # nobody waits for it any more
        self._tasks = tasks
        self._taken = 0
        self._made: dict[int, list[Any]] = {}  # by the place of their task
        self._left = sum(map(_cost, tasks))

    @property
    def left(self) -> int:
        """Pixels of what has not begun; none where nobody waits for the answer."""
        return 0 if self.answer.done() else self._left

    def take(self) -> tuple[int, Task[Any]]:
        """Begin the next task."""
        place, task = self._taken, self._tasks[self._taken]
        self._taken += 1
        self._left -= _cost(task)
        return place, task

    def give(self, place: int, made: list[Any]) -> None:
        self._made[place] = made
        if len(self._made) == len(self._tasks) and not self.answer.done():
            places = range(len(self._tasks))
            self.answer.set_result([one for at in places for one in self._made[at]])

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _cost(task: Task[Any]) -> int:
    return max(1, task.effort)  # what is refused before it is decoded must have its turn, too


def _do_all(images: Sequence[_E], work: Work[_E, _T], dropped: Event) -> tuple[list[_T], float]:
    """Do the work, and time it; less where nobody waits for it any more."""
    started = perf_counter()
    made: list[_T] = []
    for image in images:
        if dropped.is_set():
            break
        made.append(work(image, dropped))
    return made, perf_counter() - started
