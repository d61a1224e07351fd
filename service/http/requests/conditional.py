"""Conditional requests (RFC 9110, 13)."""

import re

from starlette.types import Scope

_TAG = re.compile(rb'(?:W/)?("[^"]*")')


def has_it(scope: Scope, tag: str) -> bool:
    """Return whether the client's If-None-Match names this entity tag, or is `*`.

    Tags are compared weakly: caches that compress make a tag weak.
    """
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    return given.strip() == b"*" or tag.removeprefix("W/").encode() in _TAG.findall(given)
