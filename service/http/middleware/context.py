"""The context of every request: an id, metrics, a line in the log, its body's room."""

import itertools
import re
import secrets
from time import monotonic, perf_counter
from typing import Literal

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.middleware.access import OPEN
from service.http.observability.metrics import Metrics
from service.http.requests.body import header
from service.http.responses.errors import (
    ERROR,
    PAGE,
    ProblemPage,
    domain_problem,
    internal_problem,
)
from service.http.transport.budget import BUDGET, BodyBudget
from service.http.transport.cycle import REFUSAL

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_FAILURES_PER_S = 20
_UNLOGGED = (*OPEN, "/metrics")

log = structlog.get_logger(__name__)


class RequestContext:
    """Gives each request an id, logs and counts it, and answers what nobody foresaw with 500."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        log_requests: Literal["failed", "all"],
        budget: BodyBudget,
        page: ProblemPage,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._budget = budget
        self._page = page
        self._log_from = 400 if log_requests == "failed" else 0  # the lowest status that is logged
        self._restraint = LogRateLimit(_FAILURES_PER_S if log_requests == "failed" else None)
        self._ids = map((secrets.token_hex(6) + "-{:x}").format, itertools.count())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request_id = self._request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state[BUDGET] = self._budget
        state[PAGE] = self._page
        app = _refuse if REFUSAL in state else self._app
        status, complete = 0, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
            else:
                complete = not message.get("more_body", False)
            await send(message)

        try:
            await app(scope, receive, send_with_id)
        except Exception:
            log.exception("internal error", path=scope["path"], request_id=request_id)
            if not status:
                await internal_problem(Request(scope))(scope, receive, send_with_id)
            elif not complete:  # half an answer is out: to close the connection is all that is left
                raise
        finally:
            self._budget.give_back(state)
            error = state.pop(ERROR, None)  # its frames have the body
        if error is not None:
            self._metrics.count_refusal(error)
        self._record(scope, status, perf_counter() - started)

    def _request_id(self, scope: Scope) -> str:
        given = header(scope, b"x-request-id")
        return given if given and REQUEST_ID.fullmatch(given) else next(self._ids)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = getattr(scope.get("route"), "path", "unmatched"), scope["method"]
        self._metrics.count_request(route, method, status, seconds)
        if status < self._log_from or scope["path"] in _UNLOGGED:
            return
        if self._restraint.allows():
            log.info(
                "request",
                request_id=scope["state"]["request_id"],
                method=method,
                path=scope["path"],
                status=status,
                duration_ms=round(1000 * seconds, 1),
            )


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that could not be read."""
    response = domain_problem(Request(scope), scope["state"][REFUSAL])
    await response(scope, receive, send)


class LogRateLimit:
    """Lets so many lines a second into the log, and says how many it kept out.

    To write a line takes longer than to refuse a request: an overload must not spend on its log
    what it could spend on answers.
    """

    def __init__(self, lines_per_s: int | None) -> None:
        self._lines_per_s = lines_per_s
        self._second = 0.0
        self._lines = 0

    def allows(self) -> bool:
        """Return whether another line may be written now; without a limit, always."""
        if self._lines_per_s is None:
            return True
        now = monotonic()
        if now - self._second >= 1:
            if self._lines > self._lines_per_s:
                log.warning("requests not logged", count=self._lines - self._lines_per_s)
            self._second, self._lines = now, 0
        self._lines += 1
        return self._lines <= self._lines_per_s
