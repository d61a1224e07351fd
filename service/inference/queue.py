"""Requests that wait: the smallest and the oldest of them first, in turn."""

from collections import deque
from collections.abc import Generator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeVar


class QueuedRequest(Protocol):
    """A request that waits."""

    @property
    def left(self) -> int:
        """Return how much of it is to be done; 0 where it need not wait any more."""
        ...


_W = TypeVar("_W", bound=QueuedRequest)

_SPARE = 64  # entries of requests that wait no more, before they are cleared away


class Queue(Generic[_W]):
    """Requests with something left, in two orders: by what is left of them, and by age."""

    def __init__(self) -> None:
        self._waiting: set[_W] = set()
        # May hold what waits no more, until it is met or cleared away.
        self._by_age: deque[_W] = deque()
        self._by_size: list[tuple[int, int, _W]] = []
        self._numbers = count()
        self._oldest_next = True

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: _W) -> None:
        """Let it wait."""
        self._waiting.add(request)
        self._by_age.append(request)
        heappush(self._by_size, (request.left, next(self._numbers), request))

    def take_turn(self) -> Generator[_W, None, None]:
        """Those that wait, from the oldest or from the smallest, in turn.

        The reader takes something from each one that it gets; what then has nothing left waits no
        more. Where only one waits the turn stays as it was.
        """
        first = self._oldest if self._oldest_next else self._smallest
        if len(self) > 1:
            self._oldest_next = not self._oldest_next
        while (request := first()) is not None:
            try:
                yield request
            finally:
                self._settle(request)

    def clear(self) -> list[_W]:
        """All that wait, in the order of their age; they wait no more."""
        waiting = [request for request in self._by_age if request in self._waiting]
        self._forget()
        return waiting

    def _oldest(self) -> _W | None:
        while self._by_age:
            request = self._by_age[0]
            if self._waits(request):
                return request
            self._by_age.popleft()
        return None

    def _smallest(self) -> _W | None:
        while self._by_size:
            left, _, request = self._by_size[0]
            if self._waits(request) and request.left == left:
                return request
            heappop(self._by_size)
        return None

    def _waits(self, request: _W) -> bool:
        if request in self._waiting and not request.left:
            self._waiting.remove(request)
        return request in self._waiting

    def _settle(self, request: _W) -> None:
        left = request.left if request in self._waiting else 0
        if left:
            heappush(self._by_size, (left, next(self._numbers), request))
        else:
            self._waiting.discard(request)
        if not self._waiting:
            self._forget()
        elif len(self._by_age) + len(self._by_size) > 3 * len(self._waiting) + _SPARE:
            self._by_age = deque(one for one in self._by_age if self._waits(one))
            self._by_size = [entry for entry in self._by_size if self._is_current(entry)]
            heapify(self._by_size)

    def _is_current(self, entry: tuple[int, int, _W]) -> bool:
        return self._waits(entry[2]) and entry[0] == entry[2].left

    def _forget(self) -> None:
        self._waiting.clear()
        self._by_age.clear()
        self._by_size.clear()
