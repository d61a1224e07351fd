"""HEAD wherever GET is, and which methods an address takes (RFC 9110, 9.3.2 and 10.2.1)."""

from collections.abc import Awaitable, Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AnswerHead:
    """Answers HEAD as it would GET, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return self._app(scope, receive, send)
        return self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        as_get = {**scope, "method": "GET"}  # a copy, for the server looks at its own
        try:
            await self._app(as_get, receive, send_without_body)
        finally:
            if "route" in as_get:  # metrics and logs go by it
                scope["route"] = as_get["route"]


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> set[str]:
    """The methods of all routes that match the request's path."""
    matching = (
        route
        for route in routes
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE
    )
    found = {method for route in matching for method in route.methods or ()}
    return found | {"HEAD"} if "GET" in found else found
