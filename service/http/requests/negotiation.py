"""Content negotiation: Accept, and If-None-Match for what a client has already."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Header
from starlette.types import Scope

Accept = Annotated[str | None, Header(include_in_schema=False)]
VARYING = {"Vary": "Accept"}  # of an address that answers programs with JSON and people with a page
JSON = "application/json"
HTML = "text/html"
NPY = "application/x-npy"
PAGE_TOO: dict[int | str, dict[str, Any]] = {  # of an OpenAPI operation
    200: {"content": {HTML: {"schema": {"type": "string"}}}, "description": "JSON or a page"}
}
_TAG = re.compile(rb'(?:W/)?("[^"]*")')


def preferred(accept: str | None, offers: Sequence[str]) -> str:
    """The offer that the client likes best; the first one where it likes several the same."""
    if not accept or accept == "*/*":
        return offers[0]
    ranges = [_parsed(entry) for entry in accept.split(",")]
    return max(offers, key=lambda offer: (_quality(offer, ranges), -offers.index(offer)))


def wants_page(accept: str | None) -> bool:
    """Return whether the client likes a page better than JSON, as browsers do."""
    return preferred(accept, (JSON, HTML)) == HTML


def _parsed(entry: str) -> tuple[str, float]:
    media, *parameters = (part.strip().lower() for part in entry.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return media, float(parameter[2:])
            except ValueError:
                return media, 0.0
    return media, 1.0


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The quality of the most specific range that covers the offer; 0 where none does."""
    patterns = (offer, offer.split("/")[0] + "/*", "*/*")
    for pattern in patterns:
        found = [quality for media, quality in ranges if media == pattern]
        if found:
            return max(found)
    return 0.0


def has_it(scope: Scope, tag: str) -> bool:
    """Return whether the client's If-None-Match names this entity tag, or is `*`.

    Tags are compared weakly: caches that compress make a tag weak.
    """
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    return given.strip() == b"*" or tag.removeprefix("W/").encode() in _TAG.findall(given)
