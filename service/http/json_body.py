"""A JSON body to what it says."""

import asyncio
import re
from collections.abc import Callable
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope

from service.errors import MalformedBody, UnsupportedMediaType
from service.http.body import Body, header, media_type
from service.http.negotiate import JSON

# From here on a thread takes a body apart, so that other requests need not wait.
_LONG_BYTES = 64 * 1024
_NO_NUMBER = re.compile(r"-?(nan|inf)", re.IGNORECASE)
_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)


async def read_json(
    scope: Scope, receive: Receive, limit_bytes: int, parse: Callable[[bytes], _T]
) -> _T:
    """What `parse` makes of the body.

    Raises UnsupportedMediaType before the body is read, BodyTooLarge as soon as that is known,
    ClientGone, and what `parse` raises.
    """
    if media_type(scope) != JSON:
        raise UnsupportedMediaType(header(scope, b"content-type"), (JSON,))
    return await parsed(await Body(scope, receive, limit_bytes).read(), parse)


async def parsed(body: bytes, parse: Callable[[bytes], _T]) -> _T:
    """What `parse` makes of a JSON body, on a thread where the body is long."""
    return parse(body) if len(body) < _LONG_BYTES else await asyncio.to_thread(parse, body)


def validated(body: bytes, model: type[_Model]) -> _Model:
    """The JSON body as this model. Raises MalformedBody with the first fault."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise MalformedBody(f"{where}: {fault['msg']}" if where else fault["msg"]) from None


def loaded(body: bytes) -> object:
    """The JSON body as plain values. Raises MalformedBody with the fault and its place."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        named = _NO_NUMBER.match(error.doc, error.pos)
        hint = "; JSON has neither NaN nor infinity, send finite numbers" if named else ""
        raise MalformedBody(f"not JSON: {error}{hint}") from None
