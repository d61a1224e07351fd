"""A request's body to the images in it, read as it streams and never beyond the limits."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import parse_options_header

from models.errors import UndecodableImage
from service.decode import Encoded
from service.errors import (
    BodyTooLarge,
    MalformedBody,
    NoImage,
    TooManyImages,
    UnsupportedMediaType,
)
from service.http.multipart import FileParts
from service.settings import Settings

ACCEPTED = ("image/*", "application/octet-stream", "multipart/form-data", "application/json")


class ImagesBody(BaseModel):
    """The JSON form of a request."""

    model_config = ConfigDict(extra="forbid")

    images: list[str] = Field(description="each one base64 or a data URI (data:image/png;base64,…)")


async def read_images(request: Request, settings: Settings) -> list[Encoded]:
    """The images of the body, in order; an image whose base64 is bad is an UndecodableImage.

    Raises UnsupportedMediaType before the body is read, BodyTooLarge and TooManyImages as soon
    as a limit is passed, MalformedBody, and NoImage.
    """
    header = request.headers.get("content-type", "")
    media = header.partition(";")[0].strip().lower()
    body = _capped(request, settings.max_body_bytes)
    if media == "multipart/form-data":
        images = await _from_multipart(body, header, settings.max_images)
    elif media == "application/json":
        images = await asyncio.to_thread(_from_json, await _joined(body), settings.max_images)
    elif media.startswith("image/") or media == "application/octet-stream":
        images = [data] if (data := await _joined(body)) else []
    else:
        raise UnsupportedMediaType(header, ACCEPTED)
    if not images:
        raise NoImage
    return images


async def _capped(request: Request, limit: int) -> AsyncIterator[bytes]:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge(limit)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:  # a chunked body declares no length
            raise BodyTooLarge(limit)
        yield chunk


async def _joined(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in body])


async def _from_multipart(
    body: AsyncIterator[bytes], content_type: str, max_images: int
) -> list[Encoded]:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise MalformedBody("the multipart content type names no boundary")
    parts = FileParts(boundary, max_images)
    async for chunk in body:
        parts.write(chunk)
    return list(parts.finish())


def _from_json(body: bytes, max_images: int) -> list[Encoded]:
    try:
        images = ImagesBody.model_validate_json(body).images
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise MalformedBody(f"{where}: {fault['msg']}" if where else fault["msg"]) from None
    if len(images) > max_images:
        raise TooManyImages(max_images)
    return [_from_base64(text) for text in images]


def _from_base64(text: str) -> Encoded:
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            return UndecodableImage("the data URI is not base64")
    elif "://" in text[:16]:
        return UndecodableImage("addresses are not fetched; send the image itself")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        return UndecodableImage(f"not base64: {error}")
