"""From bytes to requests: uvicorn's callbacks for the parser, with limits and refusals.

A request that cannot be read is refused by the application, as one with an error of its own is:
`RequestContext` finds the reason in the state of the scope.
"""

import asyncio
import urllib.parse
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import (
    HeadersTooLarge,
    MalformedRequest,
    ServiceError,
    TargetTooLong,
    UnsupportedRequest,
    UnsupportedVersion,
)
from service.http.cycle import REFUSAL, Cycle
from service.http.transport import Joining
from service.http.upgrade import without_offer
from service.http.watch import BODY, HEAD, Watch, Wire

_FRAMING = frozenset((b"content-length", b"expect", b"transfer-encoding"))
_HEAD_END = b"\r\n\r\n"
_AHEAD = 16  # requests that are read while another is answered
_SIMPLE_BYTES = 16 * 1024
_LEAST_PART_BYTES = 256
_LINE_BYTES = 64  # of a request line, besides the target
_HEADER_BYTES = 4  # of a header's line, besides name and value
_OVERHEAD = 16  # bytes around each byte of a chunked body; "1\r\n.\r\n" has 5
_SHOWN_BYTES = 256  # of a target that is refused


class Reader(HttpToolsProtocol):
    """The requests of one connection, read no further ahead than their answers allow."""

    cycle: Cycle
    transport: Joining  # type: ignore[assignment]  # it has what uvicorn uses of one
    watch: Watch

    def __init__(self, wire: Wire, *args: Any, **parts: Any) -> None:
        super().__init__(*args, **parts)
        self.limits = wire.settings
        self.running: Cycle | None = None  # `cycle` is the newest one
        self.begun = False  # a request has begun and is not complete
        self.in_body = False
        self.deaf = False  # nothing more is read as a request
        self.rest, self._rest_at = b"", 0  # of what was received, to be read later
        self._upgrading = self._chunked = False
        self._completed = False  # a request, by what was fed last
        self._size_bytes = 0  # of what was fed last
        self._left_bytes = 0  # of a declared body; below 0, what a chunked one has brought
        self._fault: ServiceError | None = None
        self._simple_bytes = min(_SIMPLE_BYTES, self.limits.max_header_bytes)

    def take(self, data: bytes) -> None:
        """Read what the client sent, or keep it until there is an answer to what came before."""
        if self.rest:
            self.rest, self._rest_at = self.rest[self._rest_at :] + data, 0
        elif self._is_simple(data):
            self._feed(data)
        else:
            self.rest, self._rest_at = data, 0
            self.take_rest()

    def take_rest(self) -> None:
        """Read what was kept, a request at a time, as far as there is room in the pipeline."""
        data, at = self.rest, self._rest_at
        view = memoryview(data)
        while at < len(data) and not self.deaf and (self.begun or len(self.pipeline) < _AHEAD):
            end = self._part_end(data, at)
            self._feed(view[at:end])
            at = end
        if at < len(data) and not self.deaf:
            self._rest_at = at
            self.flow.pause_reading()
        else:
            self.rest = b""

    def resume_reading(self) -> None:
        """Let the client send more, where what it has sent was read."""
        if not self.rest:
            self.flow.resume_reading()

    def refuse(self, error: ServiceError) -> None:
        """Answer the request that was being read with a problem, and read no more."""
        self.deaf = True
        if not self.in_body:
            self._answer(error)
        elif self.cycle.response_complete:
            self.transport.end()
        else:
            self.cycle.refuse(error)

    # What the parser calls
    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.begun = True
        self._chunked = False
        self._left_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind a body are not the request's."""
        if self.in_body:
            return
        name = name.lower()
        if name in _FRAMING:
            self._note_framing(name, value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the head, and start the request."""
        version = self.parser.get_http_version()
        self._check_head(version)
        if self.parser.should_upgrade():  # `_ignore_offer` goes on
            self._upgrading = True
            return
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        self._set_target(scope)
        keep_alive = version == "1.1" and self.parser.should_keep_alive()
        if self.expect_100_continue or self._left_bytes > self.limits.max_body_bytes:
            keep_alive = False  # until the body comes: it need not, once there is an answer
        self.in_body = True
        self._start(self._new_cycle(keep_alive=keep_alive))

    def on_body(self, body: bytes) -> None:
        """Hand on the next bytes of a body."""
        self._left_bytes -= len(body)
        cycle = self.cycle
        if cycle.response_complete:
            return
        if self.expect_100_continue:
            self.expect_100_continue = False
            cycle.keep_alive = self.parser.should_keep_alive()
        cycle.take(body)
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """End a request."""
        if self._upgrading:
            return
        self.begun = self.in_body = False
        self._completed = True
        self.watch.phase = None
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def _is_simple(self, data: bytes) -> bool:
        """Whether this can be read at once: few requests, or nothing but a part of a body."""
        if self.in_body and len(data) <= self._left_bytes:
            return True
        if len(data) > self._simple_bytes or self.pipeline:
            return False
        return data.count(_HEAD_END) < _AHEAD

    def _part_end(self, data: bytes, at: int) -> int:
        """Where what can be read at once ends: with a head, or with a body.

        Those in chunks end as heads do, but not every such place is an end.
        """
        if self.in_body and self._left_bytes > 0:
            return min(len(data), at + self._left_bytes)
        some = self.in_body and len(self.pipeline) < _AHEAD
        end = data.find(_HEAD_END, at + _LEAST_PART_BYTES if some else at)
        return len(data) if end < 0 else end + len(_HEAD_END)

    def _feed(self, data: bytes | memoryview) -> None:
        self._size_bytes = len(data)
        self._completed = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._ignore_offer()
            rest = memoryview(data)[offer.args[0] :]
            if rest and not self.deaf:
                self._feed(rest)
        except httptools.HttpParserError as error:
            self.refuse(self._fault or MalformedRequest(str(error)))
        else:
            if self.begun and not self.deaf:
                self._check_unfinished(len(data))

    def _ignore_offer(self) -> None:
        head = without_offer(
            self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers
        )
        self._upgrading = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._feed(head)

    def _note_framing(self, name: bytes, value: bytes) -> None:
        value = value.strip().lower()
        if name == b"content-length":
            self._left_bytes = int(value)
        elif name == b"expect":
            self.expect_100_continue = value == b"100-continue"
        elif value == b"chunked":
            self._chunked = True
        else:
            self._fail(UnsupportedRequest("a Transfer-Encoding other than chunked is not read"))

    def _check_head(self, version: str) -> None:
        if len(self.url) > self.limits.max_target_bytes:
            self._fail(TargetTooLong(self.limits.max_target_bytes))
        if len(self.headers) > self.limits.max_headers or self._headers_are_long():
            self._fail(HeadersTooLarge(self.limits.max_headers, self.limits.max_header_bytes))
        if version not in ("1.1", "1.0"):
            self._fail(UnsupportedVersion(version))
        if version == "1.0":
            self.expect_100_continue = False
            if self._chunked:
                self._fail(MalformedRequest("HTTP/1.0 has no Transfer-Encoding"))
        if self.parser.get_method() == b"CONNECT":
            self._fail(UnsupportedRequest("CONNECT asks for a tunnel, and this is no proxy"))

    def _headers_are_long(self) -> bool:
        most = self.limits.max_header_bytes
        if self._size_bytes + self.watch.fed_bytes <= most:  # all of what it is part of
            return False
        sizes = (len(name) + len(value) + _HEADER_BYTES for name, value in self.headers)
        return sum(sizes) > most

    def _check_unfinished(self, size_bytes: int) -> None:
        now, limits, watch = self.loop.time(), self.limits, self.watch
        most = limits.max_header_bytes
        if self.in_body:
            watch.note(BODY, size_bytes, now)
            if self._chunked and watch.fed_bytes > most - _OVERHEAD * self._left_bytes:
                self.refuse(HeadersTooLarge(limits.max_headers, most))
            elif self.cycle.response_complete and watch.fed_bytes > limits.max_body_bytes:
                self.transport.end()
            return
        watch.note(HEAD, 0 if self._completed else size_bytes, now)
        if len(self.url) > limits.max_target_bytes:
            self.refuse(TargetTooLong(limits.max_target_bytes))
        elif (
            len(self.headers) > limits.max_headers
            or watch.fed_bytes > most + len(self.url) + _LINE_BYTES
        ):
            self.refuse(HeadersTooLarge(limits.max_headers, most))

    def _fail(self, error: ServiceError) -> None:
        """Stop the parser, from within its call."""
        self._fault = error
        raise error

    def _set_target(self, scope: Any) -> None:
        try:
            target = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            self._fail(MalformedRequest("the request target is not an address"))
        raw_path = target.path or b"/"  # http://host has none
        path = raw_path.decode("latin-1")
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = target.query or b""

    def _new_cycle(self, *, keep_alive: bool) -> Cycle:
        return Cycle(
            self.resume_reading,
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def _start(self, cycle: Cycle) -> None:
        """Start a request, behind those that came before it."""
        before, self.cycle = self.cycle, cycle
        if before is None or before.response_complete:
            self.run(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def run(self, cycle: Cycle) -> None:
        """Let the application answer."""
        self.running = cycle
        self._start_asgi_task(cycle, self.app)

    def _answer(self, error: ServiceError) -> None:
        """Refuse what did not become a request."""
        if not self.begun:
            HttpToolsProtocol.on_message_begin(self)
        target = self.url.partition(b"?")[0][:_SHOWN_BYTES]
        self.scope["method"] = self.parser.get_method().decode() if target else "UNKNOWN"
        self.scope["path"] = target.decode("latin-1") or "/"
        self.scope["raw_path"], self.scope["query_string"] = target, b""
        self.scope["state"][REFUSAL] = error
        self.expect_100_continue = False
        cycle = self._new_cycle(keep_alive=False)
        cycle.more_body = False
        self._start(cycle)
