"""Addresses of what people named: how they are read, and how they are written."""

from urllib.parse import quote, unquote_to_bytes

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException

from service.collections.validation import id_problem

ANY = "any"  # in a route's path, {id:any}


class AnyText(Convertor[str]):
    """The rest of the path, whatever is in it; Starlette's own `path` ends before a newline."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """The text itself."""
        return value

    def to_string(self, value: str) -> str:
        """The text itself."""
        return value


register_url_convertor(ANY, AnyText())


async def check_address(request: Request) -> None:
    """Refuse with 404 an address that is not, to the last byte, one of the route that it matched.

    Starlette's patterns end with `$`, which also matches before a newline at the end, and bytes
    that are not UTF-8 are read as U+FFFD: either would answer for another address.
    """
    scope = request.scope
    meant = scope.get("root_path", "") + scope["route"].path_format.format(**request.path_params)
    if meant != scope["path"] or not _is_utf8(scope["raw_path"]):
        raise HTTPException(404)
    if not _is_utf8(scope["query_string"]):
        fault = {"loc": ("query", "query"), "msg": "must be percent-encoded UTF-8"}
        raise RequestValidationError([fault])


def item_address(collection: str, kind: str, item_id: str) -> str:
    """Return the address of an item's `item`, `thumbnail` or `image`.

    In the path, unless clients or proxies would make another path of it.
    """
    empty_part = "" in item_id.split("/")
    if empty_part or id_problem(item_id):
        return f"/collections/{collection}/{kind}?id={quote(item_id, safe='')}"
    return f"/collections/{collection}/{kind}s/{quote(item_id)}"


def _is_utf8(encoded: bytes) -> bool:
    if b"%" not in encoded:
        return True
    try:
        unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return False
    return True
