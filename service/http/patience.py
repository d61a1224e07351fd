"""How long a request is worked on: until its deadline, or until its client has gone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive

from service.errors import ClientGone, DeadlineExceeded, ServiceError

# A timer and a watcher for each request cost more than a small image's decoding. One look at all
# of them now and then is enough: most requests are answered before anybody looks.
LOOK_S = 0.05


class Patience:
    """Ends requests that take longer than `deadline_s`, and those whose client has gone.

    Both are noticed at the next look, every `LOOK_S` seconds while there are requests.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._look_s = min(LOOK_S, deadline_s)
        self._requests: set[_Request] = set()
        self._next: asyncio.TimerHandle | None = None

    @contextmanager
    def waiting(self, receive: Receive) -> Iterator[None]:
        """Cancel the block once patience ends. Begin it after the body has been read.

        Raises DeadlineExceeded or ClientGone in its place.
        """
        loop = asyncio.get_running_loop()
        request = _Request(receive, loop.time() + self._deadline_s)
        self._requests.add(request)
        if self._next is None:
            self._next = loop.call_later(self._look_s, self._look)
        try:
            yield
        except asyncio.CancelledError:
            if request.reason is None:
                raise
            request.task.uncancel()
            raise request.reason from None
        finally:
            self._requests.discard(request)
            request.forget()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for request in self._requests:
            if now > request.deadline:
                request.end(DeadlineExceeded(self._deadline_s))
            else:
                request.watch()
        self._next = loop.call_later(self._look_s, self._look) if self._requests else None


class _Request:
    def __init__(self, receive: Receive, deadline: float) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self.task = task
        self.deadline = deadline
        self.reason: ServiceError | None = None
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None

    def end(self, reason: ServiceError) -> None:
        """Cancel the request's task, once, for this reason."""
        if self.reason is None:
            self.reason = reason
            self.task.cancel()

    def watch(self) -> None:
        """End the request when its client closes the connection."""
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._until_disconnected())

    def forget(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def _until_disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.end(ClientGone())
