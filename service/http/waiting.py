"""Work on collections: on a thread, for as long as the request's patience lasts."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from service.http.state import Services

_T = TypeVar("_T")


async def on_thread(request: Request, parts: Services, work: Callable[[], _T]) -> _T:
    """What the work gives. Begin it after the body has been read.

    Raises DeadlineExceeded and ClientGone; the thread then finishes by itself, so that a write may
    be done that nobody was told of.
    """
    with parts.metrics.counting_refusals(), parts.patience.waiting(request.receive):
        return await asyncio.to_thread(work)
