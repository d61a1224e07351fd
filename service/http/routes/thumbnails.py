"""The pictures that are kept of a collection's items."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.collections.errors import UnknownImage
from service.http.requests.negotiation import has_it
from service.http.requests.parameters import ItemId, ItemNamed, NoParameters
from service.http.responses.problems import COLLECTION_ERRORS, problems
from service.http.routes.collection_threads import read
from service.http.state import Parts, Services
from service.vectors.errors import UnknownItem

router = APIRouter(prefix="/collections/{name}", tags=["collections"])
_JPEG = "image/jpeg"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_ERRORS = problems(*COLLECTION_ERRORS, UnknownItem, UnknownImage)
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "as `If-None-Match` has it"}}


@router.get(
    "/thumbnails/{id:any}",
    response_class=Response,
    responses={200: {"content": {_JPEG: _BINARY}}, **_UNCHANGED, **_ERRORS},
)
async def thumbnail(
    request: Request, parts: Parts, name: str, item: ItemId, _query: NoParameters
) -> Response:
    """Show an item's image as a small JPEG, at most 96 pixels on each side."""
    return await _thumbnail(request, parts, name, item)


@router.get(
    "/thumbnail",
    response_class=Response,
    responses={200: {"content": {_JPEG: _BINARY}}, **_UNCHANGED, **_ERRORS},
)
async def thumbnail_named(
    request: Request, parts: Parts, name: str, query: Annotated[ItemNamed, Query()]
) -> Response:
    """Show the thumbnail of an item whose id a path cannot carry."""
    return await _thumbnail(request, parts, name, query.id)


@router.get(
    "/images/{id:any}",
    response_class=Response,
    responses={200: {"content": {"image/*": _BINARY}}, **_UNCHANGED, **_ERRORS},
)
async def image(
    request: Request, parts: Parts, name: str, item: ItemId, _query: NoParameters
) -> Response:
    """Show an item's image as it was sent, where the collection keeps images."""
    return await _image(request, parts, name, item)


@router.get(
    "/image",
    response_class=Response,
    responses={200: {"content": {"image/*": _BINARY}}, **_UNCHANGED, **_ERRORS},
)
async def image_named(
    request: Request, parts: Parts, name: str, query: Annotated[ItemNamed, Query()]
) -> Response:
    """Show the image of an item whose id a path cannot carry."""
    return await _image(request, parts, name, query.id)


async def _thumbnail(request: Request, parts: Services, name: str, item: str) -> Response:
    def load() -> tuple[bytes, str]:
        return parts.library.get(name).thumbnail(item), _JPEG

    return _answer(request, *await read(request, parts, load))


async def _image(request: Request, parts: Services, name: str, item: str) -> Response:
    def load() -> tuple[bytes, str]:
        data = parts.library.get(name).image(item)
        return data, media_of(data)

    return _answer(request, *await read(request, parts, load))


def _answer(request: Request, data: bytes, media: str) -> Response:
    """The picture, or that the client has it already: an item's may be replaced at any time."""
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    if has_it(request.scope, tag):
        return Response(status_code=304, headers=headers)
    return Response(data, 200, headers, media)


_STARTS = {
    b"\xff\xd8\xff": "image/jpeg",  # also MPO, a photograph with further ones behind it
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}


_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
}


def media_of(data: bytes) -> str:
    """Return the media type of the picture, for browsers."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "image/heif")
    found = (media for start, media in _STARTS.items() if data.startswith(start))
    return next(found, "application/octet-stream")
