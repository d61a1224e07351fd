"""A JSON body to what it says."""

import asyncio
import re
from collections.abc import Callable
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.types import Receive, Scope

from service.errors import MalformedBody, UnsupportedMediaType
from service.http.requests.body import header, media_type
from service.http.requests.content_coding import read_body
from service.http.requests.json_shape import IMAGES, ITEMS, JsonShape, check_shape
from service.http.requests.negotiation import JSON

# From here on a thread takes a body apart, so that other requests need not wait.
_LONG_BYTES = 64 * 1024
_NO_NUMBER = re.compile(r"-?(nan|inf)", re.IGNORECASE)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some editors and .NET put it before UTF-8
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SHOWN_CHARACTERS = 200  # of a key that a client made up
_T = TypeVar("_T")
_Model = TypeVar("_Model", bound=BaseModel)


async def read_json(
    scope: Scope, receive: Receive, limit_bytes: int, parse: Callable[[bytes], _T]
) -> _T:
    """Read the body, and return what `parse` makes of it.

    Raises UnsupportedMediaType before the body is read, BodyTooLarge as soon as that is known,
    ClientGone, and what `parse` raises.
    """
    if media_type(scope) != JSON:
        raise UnsupportedMediaType(header(scope, b"content-type"), (JSON,))
    return await parsed(await read_body(scope, receive, limit_bytes), parse)


async def parsed(body: bytes, parse: Callable[[bytes], _T]) -> _T:
    """Parse a JSON body, on a thread where the body is long."""
    if len(body) < _LONG_BYTES:
        return parse(_utf_8(body))
    return await asyncio.to_thread(lambda: parse(_utf_8(body)))


def validated(body: bytes, model: type[_Model], limit: JsonShape = IMAGES) -> _Model:
    """The JSON body as this model, if it holds no more than the limit.

    Raises MalformedBody with the first fault, and TooManyValues.
    """
    check_shape(body, limit)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))[:_SHOWN_CHARACTERS]
        raise MalformedBody(f"{where}: {fault['msg']}" if where else fault["msg"]) from None


def loaded(body: bytes) -> object:
    """The JSON body as plain values, integers whole however long they are.

    Raises MalformedBody with the fault and its place, and TooManyValues.
    """
    check_shape(body, ITEMS)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedBody(f"not JSON: {_fault(body) or error}") from None


def _fault(body: bytes) -> str | None:
    """Return orjson's fault, which has the place in the text; None where it sees none."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        named = _NO_NUMBER.match(error.doc, error.pos)
        hint = "; JSON has neither NaN nor infinity, send finite numbers" if named else ""
        return f"{error}{hint}"
    return None


def _utf_8(body: bytes) -> bytes:
    """The body without a byte order mark. Raises MalformedBody where it is UTF-16 or UTF-32."""
    head = body[:4]
    if head.startswith(_WIDE_MARKS) or (b"\0" in head and len(head) > 1):
        raise MalformedBody("the JSON is in UTF-16 or UTF-32; send UTF-8")
    return body.removeprefix(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else body
