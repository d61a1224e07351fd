"""Work that ends when its client does."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from service.errors import ClientGone

T = TypeVar("T")


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; cancel it and raise ClientGone when the client closes the connection.

    Call it after the body has been read.
    """
    worker = asyncio.create_task(work)
    watcher = asyncio.create_task(_disconnected(request))
    watcher.add_done_callback(lambda _: worker.cancel())
    try:
        return await worker
    except asyncio.CancelledError:
        if worker.cancelled() and watcher.done() and not watcher.cancelled():
            raise ClientGone from None
        worker.cancel()
        raise
    finally:
        watcher.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
