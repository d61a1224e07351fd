"""The limit of work in progress for one model, applied before a request's body is read."""

from math import ceil
from typing import Self

from service.errors import Overloaded
from service.inference.batch_limits import Limits, Pace, ahead


class Capacity:
    """Counts the images of all requests that have room.

    No more have it than can be answered within the limits' `wait_s`, by the time that images take
    while there are others.
    """

    def __init__(self, limits: Limits, pace: Pace) -> None:
        self._pace = pace
        self._most, self._wait_s = limits.queue_items, limits.wait_s
        self.batch = limits.max_batch  # images that one batch takes
        self.items = self.requests = 0  # that have room; each `Room` counts its own

    @property
    def limit(self) -> int:
        """Images that may have room now."""
        in_time = self._pace.items(self._wait_s)
        return min(self._most, max(in_time, self.batch))

    def reserve(self) -> "Room":
        """One request's room. Raises Overloaded at once where not even one image has any."""
        self.check(1)
        return Room(self)

    def check(self, items: int) -> None:
        """Raise Overloaded where this many images of a new request have no room.

        Where nothing is in progress there is room for any request. The part that larger requests
        have in progress counts no more than their turns do, so that they refuse no smaller ones.
        """
        before = self.items
        held = before + items
        if held <= self._most:
            if not before or held <= self.batch:
                return
            in_turn = ahead(before, self.requests, items) + items
            if self._pace.seconds(in_turn) <= self._wait_s:
                return
        limit = self.limit if before else self._most
        retry_s = min(self._pace.seconds(before), self._wait_s)
        raise Overloaded(limit, max(1, ceil(retry_s)))


class Room:
    """One request's room in a queue: a block around the reading of its body and its answer.

    It takes what the request needs once that is known. Until then it holds nothing of what others
    could use: else clients that send their bodies slowly would fill the queue at no cost.
    """

    __slots__ = ("_capacity", "_items")

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._items = 0

    def take(self, items: int) -> None:
        """Hold room for this many images until the block ends. Raises Overloaded."""
        capacity = self._capacity
        capacity.check(items)
        capacity.items += items
        capacity.requests += 1
        self._items = items

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        items, self._items = self._items, 0
        if items:
            self._capacity.items -= items
            self._capacity.requests -= 1
