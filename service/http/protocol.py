"""HTTP as uvicorn speaks it, with two savings.

The head and the body of an answer go out in one write. uvicorn writes them one after the other,
which is two system calls, and two times that the client is woken, for each small answer: a sixth
of what uvicorn costs by itself (docs/performance.md).

What `Refusals` knows to be refused is refused before anything is made of it.
"""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.middleware import REQUEST_ID
from service.http.refusing import Refusals

REFUSALS = "refusals"  # where the lifespan's state has them

_HEAD = b"HTTP/1.1 "
_INTERIM = _HEAD + b"1"  # 100 Continue: the client waits for it before it sends more
_UNAVAILABLE = _HEAD + b"503 Service Unavailable\r\n"

# In the place of a request: uvicorn drops the body that follows.
_ANSWERED: Any = SimpleNamespace(response_complete=True, message_event=asyncio.Event())


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol on a transport that holds the head back until the body follows."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with one client."""
        super().connection_made(cast(asyncio.Transport, _Joining(transport)))
        self._refusals: Refusals | None = self.app_state.get(REFUSALS)
        self._last = False

    def on_headers_complete(self) -> None:
        """Begin with one request."""
        refusals = self._refusals
        if refusals is not None and refusals.now(self.url) and self._may_refuse():
            self._refuse(refusals)
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request; a body that is still on its way would be answered with a reset."""
        super().on_message_complete()
        if self._last:
            self.transport.close()

    def on_response_complete(self) -> None:
        """End an answer; the one to HEAD has no body that could follow."""
        cast(_Joining, self.transport).flush()
        super().on_response_complete()

    def _may_refuse(self) -> bool:
        idle = self.cycle is None or self.cycle.response_complete
        return idle and self.parser.get_method() == b"POST"

    def _refuse(self, refusals: Refusals) -> None:
        self.cycle = _ANSWERED
        self._last = not self.parser.should_keep_alive() or self.expect_100_continue
        given = next((value for name, value in self.headers if name == b"x-request-id"), b"")
        request_id = given if REQUEST_ID.fullmatch(given.decode("latin-1")) else b""
        defaults = b"".join(b"%b: %b\r\n" % one for one in self.server_state.default_headers)
        ending = b"connection: close\r\n" if self._last else b""
        answer = refusals.answer(self.url, request_id)
        self.transport.write(b"".join((_UNAVAILABLE, defaults, ending, answer)))
        self.on_response_complete()
        if self.expect_100_continue:  # the body, which would have to come next, never comes
            self.transport.close()


class _Joining:
    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if not self._head and data.startswith(_HEAD) and not data.startswith(_INTERIM):
            self._head = data
        else:
            self._transport.writelines((self._head, data))
            self._head = b""

    def flush(self) -> None:
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # whatever else a transport can do
        return getattr(self._transport, name)
