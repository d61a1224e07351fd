"""The short way to the routes that take images.

FastAPI's own way to an endpoint (middleware stack, routing, dependencies) costs more than decoding
a small image and preparing its answer together: docs/performance.md has the figures. FastAPI
documents these routes, and takes requests that come to it; `Shortcut` brings a request for one of
them to the same endpoint without the detour.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope, Send

from models.errors import ModelsError
from service.errors import ServiceError
from service.http.middleware.proxies import behind_proxies
from service.http.responses.errors import domain_problem, invalid_problem
from service.http.state import services

_KNOWN_QUERIES = 1024  # query strings that are remembered as parsed
_KNOWN_QUERY_BYTES = 256  # of the longest of them, or clients could fill the memory with filters


class DirectRoute(APIRoute):
    """A route whose endpoint is `async (request, parts, query) -> Response`, called as it is.

    `query` is annotated with the frozen pydantic model of the query string, which forbids what
    it does not know. A parameter may be repeated where its field is a list or a tuple.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self._read_query = _query_reader(endpoint)
        self.app = self.answer

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        try:
            query = self._read_query(scope["query_string"])
            response: Response = await self.endpoint(request, services(request), query)
        except RequestValidationError as error:
            response = invalid_problem(request, error)
        except (ServiceError, ModelsError) as error:
            response = domain_problem(request, error)
        await response(scope, receive, send)


class Shortcut:
    """Brings requests for direct routes to them, and the others to the application."""

    def __init__(self, api: FastAPI, routes: Iterable[object]) -> None:
        self._api = api
        self._app = behind_proxies(api)
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, DirectRoute)
            for method in route.methods or ()
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["type"] == "http":
            route = self._routes.get((scope["method"], scope["path"]))
            if route is not None:
                scope["app"], scope["route"] = self._api, route
                return route.answer(scope, receive, send)
        return self._app(scope, receive, send)


def _query_reader(endpoint: Callable[..., Any]) -> Callable[[bytes], BaseModel]:
    *_, query = inspect.signature(endpoint).parameters.values()
    model: type[BaseModel] = get_args(query.annotation)[0]
    lists = {name for name, field in model.model_fields.items() if _is_list(field.annotation)}

    def parse(query_string: bytes) -> BaseModel:
        values: dict[str, Any] = {}
        for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
            if name in lists:
                values.setdefault(name, []).append(value)
            elif name in values:
                raise RequestValidationError([_repeated(name)])
            else:
                values[name] = value
        try:
            return model.model_validate(values)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False)
            raise RequestValidationError(
                [{**fault, "loc": ("query", *fault["loc"])} for fault in faults]
            ) from None

    known = lru_cache(_KNOWN_QUERIES)(parse)

    def read(query_string: bytes) -> BaseModel:
        remembered = len(query_string) <= _KNOWN_QUERY_BYTES
        return known(query_string) if remembered else parse(query_string)

    return read


def _is_list(annotation: object) -> bool:
    return get_origin(annotation) in (list, tuple)


def _repeated(name: str) -> dict[str, Any]:
    message = "named more than once"
    if name == "loss":
        message += "; POST /compare answers with several losses at once"
    return {"loc": ("query", name), "msg": message}
