"""The end of work on a request: its deadline, or its client's leaving."""

import asyncio

from starlette.types import Receive

from service.errors import ClientGone, DeadlineExceeded, ServiceError

# A timer and a watcher for each request cost more than a small image's decoding. One look at all
# of them now and then is enough: most requests are answered before anybody looks.
LOOK_S = 0.05


class RequestTimeout:
    """Ends requests that take longer than `deadline_s`, and those whose client has gone.

    Both are noticed at a look, every `LOOK_S` seconds while there are requests; who is answered
    before the second one was never watched.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._look_s = min(LOOK_S, deadline_s)
        self._requests: set[_TimedRequest] = set()
        self._next: asyncio.TimerHandle | None = None

    def waiting(self, receive: Receive) -> "_TimedRequest":
        """A block that is cancelled once patience ends. Begin it after the body has been read.

        Raises DeadlineExceeded or ClientGone in place of the cancellation.
        """
        loop = asyncio.get_running_loop()
        if self._next is None:
            self._next = loop.call_later(self._look_s, self._look)
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        return _TimedRequest(task, receive, loop.time() + self._deadline_s, self._requests)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for request in self._requests:
            if now > request.deadline:
                request.end(DeadlineExceeded(self._deadline_s))
            else:
                request.watch()
        self._next = loop.call_later(self._look_s, self._look) if self._requests else None


class _TimedRequest:
    __slots__ = ("_reason", "_receive", "_requests", "_seen", "_task", "_watcher", "deadline")

    def __init__(
        self,
        task: asyncio.Task[object],
        receive: Receive,
        deadline: float,
        requests: "set[_TimedRequest]",
    ) -> None:
        self.deadline = deadline
        self._task = task
        self._receive = receive
        self._requests = requests
        self._reason: ServiceError | None = None
        self._seen = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._requests.add(self)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._requests.discard(self)
        if self._watcher is not None:
            self._watcher.cancel()
        if kind is asyncio.CancelledError and self._reason is not None:
            self._task.uncancel()
            raise self._reason from None

    def end(self, reason: ServiceError) -> None:
        """Cancel the request's task, once, for this reason."""
        if self._reason is None:
            self._reason = reason
            self._task.cancel()

    def watch(self) -> None:
        """From the second look on, end the request when its client closes the connection."""
        if not self._seen:
            self._seen = True
        elif self._watcher is None:
            self._watcher = asyncio.create_task(self._until_disconnected())

    async def _until_disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.end(ClientGone())
