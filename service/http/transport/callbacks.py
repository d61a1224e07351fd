"""Requests of what the parser finds: uvicorn's callbacks, with limits and refusals.

A request that cannot be read is refused by the application, as one with an error of its own is:
`RequestContext` finds the reason in the state of the scope.
"""

import asyncio
import urllib.parse
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import ServiceError
from service.http.transport.cycle import REFUSAL, Cycle
from service.http.transport.errors import (
    HeadersTooLarge,
    MalformedRequest,
    TargetTooLong,
    UnsupportedRequest,
    UnsupportedVersion,
)
from service.http.transport.one_write import HeadAndBody
from service.http.transport.timeouts import ConnectionLimits, TimeoutWatch

_FRAMING = frozenset((b"content-length", b"expect", b"transfer-encoding"))
_HEADER_BYTES = 4  # of a header's line, besides name and value
_SHOWN_BYTES = 256  # of a target that is refused


class Callbacks(HttpToolsProtocol):
    """The requests of one connection; `RequestReader` feeds the parser that finds them."""

    cycle: Cycle
    transport: HeadAndBody  # type: ignore[assignment]  # it has what uvicorn uses of one
    watch: TimeoutWatch

    def __init__(self, wire: ConnectionLimits, *args: Any, **parts: Any) -> None:
        super().__init__(*args, **parts)
        self.limits = wire.settings
        self.running: Cycle | None = None  # `cycle` is the newest one
        self.begun = False  # a request has begun and is not complete
        self.in_body = False
        self.deaf = False  # nothing more is read as a request
        self.rest = b""  # what was received, and is to be read later
        self.upgrading = False
        self.chunked = False
        self.completed = False  # a request, by what was fed last
        self.size_bytes = 0  # of what was fed last
        self.left_bytes = 0  # of a declared body; below 0, what a chunked one has brought
        self.fault: ServiceError | None = None

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
        self.chunked = False
        self.left_bytes = 0

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
        parser, scope = self.parser, self.scope
        version, method = parser.get_http_version(), parser.get_method()
        self._check_head(version, method)
        if parser.should_upgrade():  # `_ignore_offer` goes on
            self.upgrading = True
            return
        scope["method"] = method.decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        self._set_target(scope)
        keep_alive = version == "1.1" and parser.should_keep_alive()
        if self.expect_100_continue or self.left_bytes > self.limits.max_body_bytes:
            keep_alive = False  # until the body comes: it need not, once there is an answer
        self.in_body = True
        self._begin(keep_alive=keep_alive)

    def on_body(self, body: bytes) -> None:
        """Hand on the next bytes of a body."""
        self.left_bytes -= len(body)
        cycle = self.cycle
        if cycle.response_complete:
            return
        if self.expect_100_continue:
            self._see_body()
        cycle.take(body)
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """End a request."""
        if self.upgrading:
            return
        self.begun = self.in_body = False
        self.completed = True
        self.watch.phase = None
        if not self.cycle.response_complete:
            if self.expect_100_continue:  # and the body is empty
                self._see_body()
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def run(self, cycle: Cycle) -> None:
        """Let the application answer."""
        self.running = cycle
        self._start_asgi_task(cycle, self.app)

    def _see_body(self) -> None:
        """Keep the connection after all, where the client has begun to send a body."""
        self.expect_100_continue = False
        self.cycle.keep_alive = self.parser.should_keep_alive()

    def _note_framing(self, name: bytes, value: bytes) -> None:
        value = value.strip().lower()
        if name == b"content-length":
            self.left_bytes = int(value)
        elif name == b"expect":
            self.expect_100_continue = value == b"100-continue"
        elif value == b"chunked":
            self.chunked = True
        else:
            self._fail(UnsupportedRequest("a Transfer-Encoding other than chunked is not read"))

    def _check_head(self, version: str, method: bytes) -> None:
        limits = self.limits
        most = limits.max_header_bytes
        if len(self.url) > limits.max_target_bytes:
            self._fail(TargetTooLong(limits.max_target_bytes))
        if len(self.headers) > limits.max_headers or (
            self.size_bytes + self.watch.fed_bytes > most  # all of what it is a part of
            and sum(len(name) + len(value) + _HEADER_BYTES for name, value in self.headers) > most
        ):
            self._fail(HeadersTooLarge(limits.max_headers, most))
        if version != "1.1":
            self._check_version(version)
        if method == b"CONNECT":
            self._fail(UnsupportedRequest("CONNECT asks for a tunnel, and this is no proxy"))

    def _check_version(self, version: str) -> None:
        if version != "1.0":
            self._fail(UnsupportedVersion(version))
        self.expect_100_continue = False
        if self.chunked:
            self._fail(MalformedRequest("HTTP/1.0 has no Transfer-Encoding"))

    def _fail(self, error: ServiceError) -> None:
        """Stop the parser, from within its call."""
        self.fault = error
        raise error

    def _set_target(self, scope: Any) -> None:
        raw_path, _, query = self.url.partition(b"?")
        if not raw_path.startswith(b"/") or b"#" in self.url:
            try:
                target = httptools.parse_url(self.url)
            except httptools.HttpParserInvalidURLError:
                self._fail(MalformedRequest("the request target is not an address"))
            raw_path, query = target.path or b"/", target.query or b""  # http://x has no path
        path = raw_path.decode("latin-1")
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query

    def _begin(self, *, keep_alive: bool) -> None:
        """Have the request answered, behind those that came before it."""
        before = self.cycle
        self.cycle = cycle = Cycle(
            scope=self.scope,
            transport=self.transport,  # type: ignore[arg-type]  # as above
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
        cycle.resume_reading = self.resume_reading
        if before is None or before.response_complete:
            self.run(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

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
        self._begin(keep_alive=False)
        self.cycle.more_body = False
