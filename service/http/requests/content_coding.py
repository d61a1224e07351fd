"""A body behind its Content-Encoding: gzip and deflate, never more than the limit of either."""

import asyncio
import zlib
from collections.abc import Awaitable

from starlette.types import Receive, Scope

from service.errors import (
    BodyTooLarge,
    ExpandsTooMuch,
    MalformedBody,
    UnsupportedEncoding,
)
from service.http.requests.body import Body

ACCEPTED = ("gzip", "deflate")

_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}  # RFC 9110, 8.4.1
_NONE = {"", "identity"}
# Text shrinks to a tenth, seldom to a fiftieth; zeros to a thousandth.
_MOST_TIMES = 64
_FREE_BYTES = 2**20
_MEMBERS = 16  # gzip files one behind the other


def read_body(scope: Scope, receive: Receive, limit_bytes: int) -> Awaitable[bytes]:
    """The whole body, decoded on a thread where it is coded.

    Raises UnsupportedEncoding before it is read, BodyTooLarge as soon as that is known,
    ExpandsTooMuch, MalformedBody, BodiesFull and ClientGone.
    """
    coding = _coding(scope)
    body = Body(scope, receive, limit_bytes)
    return body.read() if coding is None else _read_coded(body, coding, limit_bytes)


async def _read_coded(body: Body, coding: str, limit_bytes: int) -> bytes:
    data = await body.read()
    plain = await asyncio.to_thread(decoded, data, coding, limit_bytes)
    body.take(max(0, len(plain) - len(data)))  # of which one is held from here on
    return plain


def decoded(data: bytes, coding: str, limit_bytes: int) -> bytes:
    """Decode the data from its coding, `gzip` or `deflate`.

    Raises BodyTooLarge and ExpandsTooMuch before more than the limit has been decoded, and
    MalformedBody where the data is damaged or cut off.
    """
    budget = _FREE_BYTES + _MOST_TIMES * len(data)
    most = min(limit_bytes, budget)
    parts: list[bytes] = []
    for _ in range(_MEMBERS):
        part, data = _member(data, coding, most - sum(map(len, parts)) + 1)
        parts.append(part)
        if sum(map(len, parts)) > most:
            raise BodyTooLarge(limit_bytes) if most == limit_bytes else ExpandsTooMuch(_MOST_TIMES)
        if not data:
            return b"".join(parts)
        if coding == "deflate":
            break
    raise MalformedBody(f"the body goes on behind its {coding} data")


def _member(data: bytes, coding: str, most: int) -> tuple[bytes, bytes]:
    """The first part of the data, up to so many bytes of it decoded, and what is behind it."""
    decoder = zlib.decompressobj(_window(data, coding))
    try:
        part = decoder.decompress(data, most)
    except zlib.error as error:
        raise MalformedBody(f"the body is not {coding}: {error}") from None
    if not decoder.eof and len(part) < most:
        raise MalformedBody(f"the body's {coding} data is cut off")
    return part, decoder.unused_data


def _window(data: bytes, coding: str) -> int:
    """Return zlib's wbits: with a header or, as some clients take deflate to mean, without."""
    if coding == "gzip":
        return 16 + zlib.MAX_WBITS
    has_header = len(data) > 1 and data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _coding(scope: Scope) -> str | None:
    """The one coding of the body; None where there is none. Raises UnsupportedEncoding."""
    given = [value for name, value in scope["headers"] if name == b"content-encoding"]
    if not given:
        return None
    text = b",".join(given).decode("latin-1")
    named = [name for one in text.lower().split(",") if (name := one.strip()) not in _NONE]
    if not named:
        return None
    coding = _CODINGS.get(named[0])
    if len(named) > 1 or coding is None:  # one in another would multiply
        raise UnsupportedEncoding(text[:200], ACCEPTED)
    return coding
