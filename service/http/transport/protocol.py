"""HTTP/1.1 on one connection: uvicorn's protocol, with limits in bytes and in time.

`transport` writes each answer at once and closes so that none is lost, `reader` and `callbacks`
make requests of bytes, `upgrade` ignores offers of other protocols, `watch` looks for what takes
too long.
"""

import asyncio
from typing import Any, cast

from service.errors import Stopping
from service.http.transport.connection_cap import Spare
from service.http.transport.errors import BodyTimeout, HeadTimeout, IncompleteRequest
from service.http.transport.one_write import HeadAndBody
from service.http.transport.reader import RequestReader
from service.http.transport.timeouts import ConnectionLimits, TimeoutWatch

_PROBE_S = 0.5
_SLOW_S = 2.0  # for a body, where there are too many connections
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class OneWriteProtocol(RequestReader):
    """The life of one connection."""

    def __init__(self, wire: ConnectionLimits, *args: Any, **parts: Any) -> None:
        super().__init__(wire, *args, **parts)
        self._wire = wire
        self._half_closed_at: float | None = None
        self._probe_at = 0.0
        self._stopping = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with one client."""
        joining = HeadAndBody(transport, self._may_send)
        super().connection_made(cast(asyncio.Transport, joining))
        self.watch = TimeoutWatch(self.limits, self.loop.time())
        connections = cast(set["OneWriteProtocol"], self.connections)
        self._wire.watch(self.loop, connections)
        if not self._wire.cap.has_room(self, connections, self.watch.idle_since):
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the request know that is being answered, too, where others wait behind it."""
        self.deaf, self.rest = True, b""
        self._stopping = True
        super().connection_lost(exc)
        if self.running is not None and not self.running.response_complete:
            self.running.disconnected = True
            self.running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if not self.deaf:
            self.take(data)
            return
        self.watch.fed_bytes += len(data)
        if self.watch.fed_bytes > self.limits.max_body_bytes:
            self.transport.end()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn always closes
        """Answer a client that has closed its sending side, if it has asked for something."""
        if self._half_closed_at is None:
            self._half_closed_at = self.loop.time()
            self._probe_at = self._half_closed_at + _PROBE_S
            if self.begun and not self.deaf and not self._is_passing_over():
                self.refuse(IncompleteRequest())
            elif self._is_busy() and not self.rest:
                self.cycle.keep_alive = False
        return self._is_busy()

    def shutdown(self) -> None:
        """End, if need be after what is being answered."""
        self._stopping = True
        self.watch.hurry(self.loop.time())
        if self.transport.lingering:
            self.transport.end()
        else:
            super().shutdown()

    def spare(self, now: float) -> Spare | None:
        """Return its place in the order of ending; None for one with a request in work."""
        if self.transport.is_closing():
            return None
        if not self._is_busy():
            return 0, self.watch.idle_since
        slow = self.in_body and self.cycle is self.running and now - self.watch.since > _SLOW_S
        return (1, self.watch.since) if slow and not self.cycle.response_started else None

    def end(self) -> None:
        """Close the connection."""
        self.transport.end()

    def on_response_complete(self) -> None:
        """End an answer, and go on with the next request."""
        self.transport.flush()  # the answer to HEAD has no body
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.transport.lingering:
            self._pass_over()
            return
        self.watch.idle_since = self.loop.time()
        self.resume_reading()
        if self.pipeline:
            self.run(cast(Any, self.pipeline.pop()[0]))
        if self.rest:
            self.take_rest()
        if (self._half_closed_at is not None or self._stopping) and not self._is_busy():
            self.transport.close()

    def look(self, now: float) -> None:
        """End whatever takes too long."""
        transport, watch = self.transport, self.watch
        if watch.is_stuck(now, transport.written_bytes, transport.get_write_buffer_size()):
            transport.abort()
        elif transport.lingering:
            if watch.lingers_long(now):
                transport.end()
        elif self.begun and not self.deaf:
            self._look_at_unfinished(now)
        elif not self._is_busy():
            if watch.is_idle(now, asked=self.running is not None):
                transport.end()
        elif self._half_closed_at is not None and now > self._probe_at:
            self._probe(now, self._half_closed_at)
        watch.looked = now

    def _look_at_unfinished(self, now: float) -> None:
        cycle, watch = self.cycle, self.watch
        if not self.in_body:
            if not self._is_busy() and watch.head_is_late(now):
                self.refuse(HeadTimeout(self.limits.head_timeout_s))
        elif self.flow.read_paused or cycle is not self.running or cycle.waiting_for_100_continue:
            watch.pardon(now)
        elif watch.body_is_late(now):
            late = BodyTimeout(self.limits.body_timeout_s, self.limits.min_bytes_per_s)
            self.refuse(Stopping() if self._stopping else late)

    def _probe(self, now: float, half_closed_at: float) -> None:
        """Find out whether the client has closed its receiving side as well, and is gone.

        TCP says so only once something is sent, and an interim answer is what a client must
        expect at any time (RFC 9110, 15.2). It is sent less and less often.
        """
        self._probe_at = now + (now - half_closed_at)
        running = self.running
        if running is None or running.response_started:
            return
        if running.scope["http_version"] == "1.1":  # older clients do not know it
            self.transport.write(_CONTINUE)

    def _pass_over(self) -> None:
        """Read what the client still sends, and make nothing of it."""
        self.deaf, self.rest = True, b""
        self.pipeline.clear()
        self.flow.resume_reading()

    def _is_busy(self) -> bool:
        """Return whether it has a request to be answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _is_passing_over(self) -> bool:
        """Return whether the body that comes belongs to a request that has been answered."""
        return self.in_body and not self._is_busy()

    def _may_send(self) -> bool:
        """Return whether the client may be about to send more of what it has begun."""
        unread = self.begun or self.deaf or bool(self.rest)
        return unread and self._half_closed_at is None and not self._stopping
