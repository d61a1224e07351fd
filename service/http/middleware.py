"""What happens around every request: an id, a line in the log, metrics, the key."""

import re
import secrets
import uuid
from time import perf_counter

import structlog
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Unauthorized
from service.http.errors import domain_problem, internal_problem
from service.http.metrics import Metrics

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_OPEN = ("/health/live", "/health/ready")

log = structlog.get_logger(__name__)


class RequestContext:
    """Gives each request an id, logs and counts it, and answers what nobody foresaw with 500."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.request_id = _request_id(request)
        structlog.contextvars.bind_contextvars(request_id=request.state.request_id)
        started = perf_counter()
        status = await self._serve(request, receive, send)
        self._record(request, status, perf_counter() - started)

    async def _serve(self, request: Request, receive: Receive, send: Send) -> int:
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request.state.request_id
            await send(message)

        try:
            await self._app(request.scope, receive, send_with_id)
        except Exception:
            log.exception("internal error", path=request.url.path)
            if status:  # half an answer is out: closing the connection is all that is left
                raise
            await internal_problem(request)(request.scope, receive, send_with_id)
        return status

    def _record(self, request: Request, status: int, seconds: float) -> None:
        path = getattr(request.scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(path, request.method, status).inc()
        self._metrics.request_seconds.labels(path).observe(seconds)
        if request.url.path not in _OPEN and path != "/metrics":
            log.info(
                "request",
                method=request.method,
                path=request.url.path,
                status=status,
                duration_ms=round(1000 * seconds, 1),
            )


class RequireKey:
    """Refuses every request without the API key, except those that ask for health."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or scope["path"] in _OPEN or self._carries_key(scope):
            await self._app(scope, receive, send)
            return
        response = domain_problem(Request(scope), Unauthorized())
        await response(scope, receive, send)

    def _carries_key(self, scope: Scope) -> bool:
        scheme, _, given = Request(scope).headers.get("authorization", "").partition(" ")
        same = secrets.compare_digest(given.strip().encode("latin-1"), self._key)
        return same and scheme.lower() == "bearer"


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
