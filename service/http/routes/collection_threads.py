"""Work on collections: on threads of its own, for as long as the request's patience lasts."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from service.http.state import Services

_T = TypeVar("_T")


async def read(request: Request, parts: Services, work: Callable[[], _T]) -> _T:
    """Run work that reads, and return its result. Begin it after the body has been read.

    Raises DeadlineExceeded and ClientGone; the thread then finishes by itself.
    """
    with parts.patience.waiting(request.receive):
        return await parts.threads.read(work)


async def write(request: Request, parts: Services, work: Callable[[], _T]) -> _T:
    """Run work that writes; it may be done though no answer said so."""
    with parts.patience.waiting(request.receive):
        return await parts.threads.write(work)
