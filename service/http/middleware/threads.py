"""The threads that work on collections.

Writers may wait for other writers, and readers for an index to catch up. So neither takes a
thread from the other, nor from what else the event loop has threads for.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

_THREADS = 8  # of each kind; more wait in line
_T = TypeVar("_T")


class Threads:
    """Those of one application."""

    def __init__(self) -> None:
        self._readers = ThreadPoolExecutor(_THREADS, "read collections")
        self._writers = ThreadPoolExecutor(_THREADS, "write collections")

    async def read(self, work: Callable[[], _T]) -> _T:
        """Run work that changes nothing, and return its result."""
        return await _run(self._readers, work)

    async def write(self, work: Callable[[], _T]) -> _T:
        """Run work that writes, and return its result."""
        return await _run(self._writers, work)

    def close(self) -> None:
        """Wait for what has begun; what has not is dropped."""
        for pool in (self._readers, self._writers):
            pool.shutdown(cancel_futures=True)


async def _run(pool: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(pool, copy_context().run, work)
