"""The bytes of bodies that one process holds, and the return of their memory."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Any

from service.errors import BodiesFull

BUDGET = "body_budget"  # where a scope's state holds the budget
_HELD = "body_bytes"  # and how much of it the request has

# After one body of 31 MB that was no image a process had 39 MB more than before, for good: the
# body, which the traceback of an error still held, and what the C library keeps for the next one.
# Now it has none. To look for both takes 5 to 13 ms, so it is done a while after large bodies.
_LARGE_BYTES = 2**20
_TRIM_S = 2.0


class BodyBudget:
    """Counts the bodies of requests in progress."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._trim = _trimmer()
        self._trimming: asyncio.TimerHandle | None = None

    @property
    def held_bytes(self) -> int:
        """Those of all requests."""
        return self._held_bytes

    def check(self, size_bytes: int) -> None:
        """Raise BodiesFull where there is no room for a body."""
        if self._held_bytes + size_bytes > self._limit_bytes:
            raise BodiesFull(self._limit_bytes)

    def take(self, state: dict[str, Any], size_bytes: int) -> None:
        """Take room for more of a request's body. Raises BodiesFull."""
        held_bytes = self._held_bytes + size_bytes
        if held_bytes > self._limit_bytes:
            raise BodiesFull(self._limit_bytes)
        self._held_bytes = held_bytes
        state[_HELD] = state.get(_HELD, 0) + size_bytes

    def give_back(self, state: dict[str, Any]) -> None:
        """Give the room back, once the request has been answered."""
        held = state.pop(_HELD, 0)
        self._held_bytes -= held
        if held >= _LARGE_BYTES and self._trimming is None and self._trim is not None:
            loop = asyncio.get_running_loop()
            self._trimming = loop.call_later(_TRIM_S, self._give_memory_back, loop, self._trim)

    def _give_memory_back(
        self, loop: asyncio.AbstractEventLoop, trim: Callable[[int], int]
    ) -> None:
        self._trimming = None
        gc.collect()
        loop.run_in_executor(None, trim, 0)


def _trimmer() -> Callable[[int], int] | None:
    """`malloc_trim`, where the C library is the one that has it."""
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
