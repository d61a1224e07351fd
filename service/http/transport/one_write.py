"""The transport under a connection: answers in one write, and a close that loses none of them."""

import asyncio
from collections.abc import Callable
from typing import Any

_HEAD = b"HTTP/1.1 "
_INTERIM = _HEAD + b"1"  # 100 Continue: the client waits for it before it sends more


class HeadAndBody:
    """Holds the head of an answer back until the body follows.

    uvicorn writes them one after the other, which is two system calls, and two times that the
    client is woken, for each small answer: a sixth of what uvicorn costs by itself
    (docs/performance.md).
    """

    def __init__(self, transport: asyncio.Transport, lingers: Callable[[], bool]) -> None:
        """Prepare; `lingers` says whether the client is still sending."""
        self._transport = transport
        self._lingers = lingers
        self._head = b""
        self.written_bytes = 0
        self.lingering = False
        self.is_closing = transport.is_closing
        self.get_write_buffer_size = transport.get_write_buffer_size

    def write(self, data: bytes) -> None:
        """Write, except for a head, which waits for what follows."""
        if not self._head and data.startswith(_HEAD) and not data.startswith(_INTERIM):
            self._head = data
        else:
            self.written_bytes += len(self._head) + len(data)
            self._transport.writelines((self._head, data))
            self._head = b""

    def flush(self) -> None:
        """Write a head that nothing follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close once everything is sent.

        A client that is still sending would get a reset, and lose the answer with it: there only
        this side is closed, and the other one once the client has seen that (RFC 9112, 9.6).
        """
        self.flush()
        if not self.lingering and self._lingers() and not self.is_closing():
            self.lingering = True
            self._transport.write_eof()
        elif not self.lingering:
            self._transport.close()

    def end(self) -> None:
        """Close without lingering."""
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # whatever else a transport can do
        return getattr(self._transport, name)
