"""A request's body, read as it streams and never beyond the limits."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.types import Message, Receive, Scope

from service.errors import BodyTooLarge, ClientGone, ServiceError
from service.http.transport.budget import BUDGET, BodyBudget
from service.http.transport.cycle import REFUSAL

_PIECE_BYTES = 64 * 1024  # so that a body sent in single bytes does not become a list of them


class Body:
    """The pieces of one body.

    Raises BodyTooLarge and BodiesFull as soon as that is known, ClientGone, and the reason where
    the body cannot be completed.
    """

    def __init__(self, scope: Scope, receive: Receive, limit_bytes: int) -> None:
        """Prepare to read. Raises BodyTooLarge and BodiesFull where the client declares it."""
        self._state: dict[str, Any] = scope.get("state", {})
        self._budget: BodyBudget | None = self._state.get(BUDGET)
        declared = header(scope, b"content-length")
        if declared.isdecimal():
            size_bytes = int(declared)
            if size_bytes > limit_bytes:
                raise BodyTooLarge(limit_bytes)
            if self._budget is not None:
                self._budget.check(size_bytes)
        self._receive = receive
        self._limit_bytes = limit_bytes
        self.size_bytes = 0  # read so far
        self._more = True

    async def read(self) -> bytes:
        """All of it."""
        first = self._take(await self._receive())
        if not self._more:  # as nearly always
            return first
        return b"".join([first, *[piece async for piece in self]])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._more:
            yield await self._next()

    async def _next(self) -> bytes:
        piece = self._take(await self._receive())
        if not self._more or len(piece) >= _PIECE_BYTES:
            return piece
        joined = bytearray(piece)
        while self._more and len(joined) < _PIECE_BYTES:
            joined += self._take(await self._receive())
        return bytes(joined)

    def _take(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            refusal: ServiceError | None = self._state.get(REFUSAL)
            raise refusal or ClientGone
        piece: bytes = message.get("body", b"")
        self.size_bytes += len(piece)
        if self.size_bytes > self._limit_bytes:  # a chunked body declares no length
            raise BodyTooLarge(self._limit_bytes)
        if self._budget is not None:
            self._budget.take(self._state, len(piece))
        self._more = message.get("more_body", False)
        return piece

    def take(self, size_bytes: int) -> None:
        """Count so many bytes as held for this request. Raises BodiesFull."""
        if self._budget is not None:
            self._budget.take(self._state, size_bytes)


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
