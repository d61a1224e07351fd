"""Refusals that cost next to nothing, so that an overload does not take the time of the answers.

At twice the rate that the service can answer, refusing by way of the application left a quarter of
its answers (docs/performance.md).
"""

import itertools
import secrets
from typing import NamedTuple

from fastapi import Request

from service.batcher import Batcher
from service.errors import Overloaded
from service.http.errors import domain_problem
from service.http.metrics import Metrics

_KNOWN_URLS = 1024


class Refusals:
    """Remembers what was refused for want of room, and how, while there is none.

    `check_room` sees the first request with some path and query and has it refused in full.
    `OneWriteProtocol` then gives the same answer to those that follow, before anything is made of
    them: they are counted, but get no line in the log.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[bytes, _Refusal] = {}
        self._ids = map((secrets.token_hex(6) + "-r{:x}").format, itertools.count())

    def check_room(self, request: Request, batcher: Batcher) -> None:
        """Raise Overloaded where the model that the request names has no room for an image."""
        try:
            batcher.check_room()
        except Overloaded as error:
            self._remember(request, batcher, error)
            raise

    def now(self, url: bytes) -> bool:
        """Whether there is still no room for a request to this path and query."""
        refusal = self._known.get(url)
        return refusal is not None and refusal.batcher.full

    def answer(self, url: bytes, request_id: bytes) -> bytes:
        """The headers that differ, and the body; counts it. An empty id gets a new one."""
        refusal = self._known[url]
        self._metrics.count_request(refusal.route, "POST", refusal.status, 0.0)
        self._metrics.count_refusal(refusal.error)
        name = request_id or next(self._ids).encode()
        size = len(refusal.before) + len(name) + len(refusal.after)
        head = b"content-length: %d\r\nx-request-id: %b\r\n\r\n" % (size, name)
        return b"".join((refusal.head, head, refusal.before, name, refusal.after))

    def _remember(self, request: Request, batcher: Batcher, error: Overloaded) -> None:
        url = request.scope["raw_path"]
        if query := request.scope["query_string"]:
            url += b"?" + query
        response = domain_problem(request, error)
        head = b"".join(
            b"%b: %b\r\n" % header
            for header in response.raw_headers
            if header[0] != b"content-length"
        )
        before, _, after = bytes(response.body).partition(request.state.request_id.encode())
        if len(self._known) >= _KNOWN_URLS:
            self._known.clear()
        route = request.scope["route"].path
        self._known[url] = _Refusal(
            batcher, error, route, response.status_code, head, before, after
        )


class _Refusal(NamedTuple):
    batcher: Batcher
    error: Overloaded
    route: str
    status: int
    head: bytes
    before: bytes  # the request id, in the body
    after: bytes
