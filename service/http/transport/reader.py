"""From bytes to requests, read no further ahead than their answers allow."""

from typing import Any

import httptools

from service.errors import ServiceError
from service.http.transport.callbacks import Callbacks
from service.http.transport.errors import (
    HeadersTooLarge,
    MalformedRequest,
    TargetTooLong,
    UnsupportedVersion,
)
from service.http.transport.timeouts import BODY, HEAD, ConnectionLimits
from service.http.transport.upgrade import without_offer

_HEAD_END = b"\r\n\r\n"
_AHEAD = 16  # requests that are read while another is answered
_SIMPLE_BYTES = 16 * 1024
_LEAST_PART_BYTES = 256
_LINE_BYTES = 64  # of a request line, besides the target
_OVERHEAD = 16  # bytes around each byte of a chunked body; "1\r\n.\r\n" has 5


class RequestReader(Callbacks):
    """The feeder of one connection's parser."""

    def __init__(self, wire: ConnectionLimits, *args: Any, **parts: Any) -> None:
        super().__init__(wire, *args, **parts)
        self._rest_at = 0
        self._simple_bytes = min(_SIMPLE_BYTES, self.limits.max_header_bytes)

    def take(self, data: bytes) -> None:
        """Read what the client sent, or keep it until there is an answer to what came before."""
        if self.rest:
            self.rest, self._rest_at = self.rest[self._rest_at :] + data, 0
        elif (self.in_body and len(data) <= self.left_bytes) or (
            len(data) <= self._simple_bytes  # few requests
            and not self.pipeline
            and data.count(_HEAD_END) < _AHEAD
        ):
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

    def _part_end(self, data: bytes, at: int) -> int:
        """Return the end of what can be read at once: with a head, or with a body.

        Those in chunks end as heads do, but not every such place is an end.
        """
        if self.in_body and self.left_bytes > 0:
            return min(len(data), at + self.left_bytes)
        some = self.in_body and len(self.pipeline) < _AHEAD
        end = data.find(_HEAD_END, at + _LEAST_PART_BYTES if some else at)
        return len(data) if end < 0 else end + len(_HEAD_END)

    def _feed(self, data: bytes | memoryview) -> None:
        self.size_bytes = len(data)
        self.completed = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._ignore_offer()
            rest = memoryview(data)[offer.args[0] :]
            if rest and not self.deaf:
                self._feed(rest)
        except httptools.HttpParserError as error:
            self.refuse(self.fault or self._what_is_wrong(error))
        else:
            if self.begun and not self.deaf:
                self._check_unfinished(len(data))

    def _what_is_wrong(self, error: Exception) -> ServiceError:
        if self.url == b"*" and self.parser.get_method() == b"PRI":  # RFC 9113, 3.4
            return UnsupportedVersion("2")
        return MalformedRequest(str(error))

    def _ignore_offer(self) -> None:
        head = without_offer(
            self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers
        )
        self.upgrading = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._feed(head)

    def _check_unfinished(self, size_bytes: int) -> None:
        now, limits, watch = self.loop.time(), self.limits, self.watch
        most = limits.max_header_bytes
        if self.in_body:
            watch.note(BODY, size_bytes, now)
            if self.chunked and watch.fed_bytes > most - _OVERHEAD * self.left_bytes:
                self.refuse(HeadersTooLarge(limits.max_headers, most))
            elif self.cycle.response_complete and watch.fed_bytes > limits.max_body_bytes:
                self.transport.end()
            return
        watch.note(HEAD, 0 if self.completed else size_bytes, now)
        if len(self.url) > limits.max_target_bytes:
            self.refuse(TargetTooLong(limits.max_target_bytes))
        elif (
            len(self.headers) > limits.max_headers
            or watch.fed_bytes > most + len(self.url) + _LINE_BYTES
        ):
            self.refuse(HeadersTooLarge(limits.max_headers, most))
