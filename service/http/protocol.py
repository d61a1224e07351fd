"""HTTP as uvicorn speaks it, with the head and the body of an answer in one write.

uvicorn writes them one after the other, which is two system calls, and two times that the client
is woken, for each small answer: a sixth of what uvicorn costs by itself (docs/performance.md).
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = b"HTTP/1.1 "
_INTERIM = _HEAD + b"1"  # 100 Continue: the client waits for it before it sends more


class OneWriteProtocol(HttpToolsProtocol):
    """uvicorn's protocol on a transport that holds the head back until the body follows."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with one client."""
        super().connection_made(cast(asyncio.Transport, _Joining(transport)))

    def on_response_complete(self) -> None:
        """End an answer; the one to HEAD has no body that could follow."""
        cast(_Joining, self.transport).flush()
        super().on_response_complete()


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
