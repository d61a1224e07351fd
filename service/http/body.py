"""A request's body, read as it streams and never beyond the limit."""

from collections.abc import AsyncIterator

from starlette.types import Receive, Scope

from service.errors import BodyTooLarge, ClientGone


class Body:
    """The chunks of one body. Raises BodyTooLarge as soon as it is known, and ClientGone."""

    def __init__(self, scope: Scope, receive: Receive, limit_bytes: int) -> None:
        """Prepare to read. Raises BodyTooLarge where the client declares too much."""
        declared = header(scope, b"content-length")
        if declared.isdecimal() and int(declared) > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        self._receive = receive
        self._limit_bytes = limit_bytes
        self.size_bytes = 0  # read so far
        self._more = True

    async def read(self) -> bytes:
        """All of it."""
        first = await self._next()
        if not self._more:
            return first
        return b"".join([first, *[chunk async for chunk in self]])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._more:
            yield await self._next()

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self.size_bytes += len(chunk)
        if self.size_bytes > self._limit_bytes:  # a chunked body declares no length
            raise BodyTooLarge(self._limit_bytes)
        self._more = message.get("more_body", False)
        return chunk


def header(scope: Scope, name: bytes) -> str:
    """The request header of this lower-case name; empty where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return ""


def media_type(scope: Scope) -> str:
    """The request's content type in lower case, without parameters; empty where there is none."""
    return header(scope, b"content-type").partition(";")[0].strip().lower()
