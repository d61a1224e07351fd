"""A request's body to the images in it, read as it streams and never beyond the limits."""

import asyncio
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope

from models.errors import UndecodableImage
from service.errors import NoImage, TooManyImages, UnsupportedMediaType
from service.http.requests.base64_text import NotBase64, read_base64
from service.http.requests.body import Body, header, media_type
from service.http.requests.content_coding import read_body
from service.http.requests.json_body import parsed, validated
from service.http.requests.multipart import boundary, file_parts
from service.http.requests.negotiation import JSON
from service.inference.pixel_budget import Encoded
from service.settings import Settings

MULTIPART = "multipart/form-data"
ACCEPTED = ("image/*", "application/octet-stream", MULTIPART, JSON)
# From here on a thread takes a body apart, so that other requests need not wait. On the event loop
# 1 MB of multipart would hold them up for 1 ms and 32 MB for 19 to 55 ms; with a thread these make
# 5 to 12 ms, as a search for a delimiter keeps Python's lock (medians of 9, on 2 AMD EPYC cores).
_LONG_MULTIPART_BYTES = 1024 * 1024
_BINARY = {"schema": {"type": "string", "format": "binary"}}
IMAGES_CONTENT: dict[str, Any] = {  # OpenAPI's description of a body that is not JSON
    "image/*": _BINARY,
    "application/octet-stream": _BINARY,
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                "image": {
                    "type": "array",
                    "items": {"type": "string", "format": "binary"},
                    "description": "every file part is one image; its name is ignored",
                }
            },
        }
    },
}


class ImagesBody(BaseModel):
    """The JSON form of a request."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[str], Field(fail_fast=True)] = Field(
        description="each one base64 or a data URI (data:image/png;base64,…)"
    )


async def read_images(scope: Scope, receive: Receive, settings: Settings) -> list[Encoded]:
    """The images of the body, in order; an image whose base64 is bad is an UndecodableImage.

    Raises UnsupportedMediaType and UnsupportedEncoding before the body is read, BodyTooLarge as
    soon as that is known, TooManyImages and NoImage once the body is whole, MalformedBody,
    TooManyValues, ExpandsTooMuch and ClientGone.
    """
    media, limit = media_type(scope), settings.max_body_bytes
    if media.startswith("image/") or media == "application/octet-stream":
        data = await read_body(scope, receive, limit)
        images: list[Encoded] = [data] if data else []
    elif media == MULTIPART:
        images = await _from_multipart(scope, receive, settings)
    elif media == JSON:
        parse = partial(_parse_json, settings.max_images)
        images = await parsed(await read_body(scope, receive, limit), parse)
    else:
        Body(scope, receive, limit)  # raises where the client declares too much, which comes first
        raise UnsupportedMediaType(_content_type(scope), ACCEPTED)
    if not images:
        raise NoImage
    return images


def _content_type(scope: Scope) -> str:
    return header(scope, b"content-type")


async def _from_multipart(scope: Scope, receive: Receive, settings: Settings) -> list[Encoded]:
    named = boundary(_content_type(scope))
    body = await read_body(scope, receive, settings.max_body_bytes)
    if len(body) < _LONG_MULTIPART_BYTES:
        return list(file_parts(body, named, settings.max_images))
    return list(await asyncio.to_thread(file_parts, body, named, settings.max_images))


def _parse_json(max_images: int, body: bytes) -> list[Encoded]:
    images = validated(body, ImagesBody).images
    if len(images) > max_images:
        raise TooManyImages(max_images)
    return [from_base64(text) for text in images]


def from_base64(text: str) -> Encoded:
    """The bytes of base64 or of a data URI, or why there are none."""
    if not text:
        return UndecodableImage("image must not be an empty string")
    try:
        return read_base64(text)
    except NotBase64 as error:
        return UndecodableImage(str(error))
