"""A request's body to the images in it, read as it streams and never beyond the limits."""

import asyncio
import base64
import binascii

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import Receive, Scope

from models.errors import UndecodableImage
from service.decode import Encoded
from service.errors import MalformedBody, NoImage, TooManyImages, UnsupportedMediaType
from service.http.body import Body, header
from service.http.multipart import FileParts, boundary
from service.settings import Settings

ACCEPTED = ("image/*", "application/octet-stream", "multipart/form-data", "application/json")
_LONG_JSON_BYTES = 64 * 1024  # from here on a thread reads it, so that the others need not wait


class ImagesBody(BaseModel):
    """The JSON form of a request."""

    model_config = ConfigDict(extra="forbid")

    images: list[str] = Field(description="each one base64 or a data URI (data:image/png;base64,…)")


async def read_images(scope: Scope, receive: Receive, settings: Settings) -> list[Encoded]:
    """The images of the body, in order; an image whose base64 is bad is an UndecodableImage.

    Raises UnsupportedMediaType before the body is read, BodyTooLarge and TooManyImages as soon
    as a limit is passed, MalformedBody, NoImage, and ClientGone.
    """
    content_type = header(scope, b"content-type")
    media = content_type.partition(";")[0].strip().lower()
    body = Body(scope, receive, settings.max_body_bytes)
    if media.startswith("image/") or media == "application/octet-stream":
        data = await body.read()
        images: list[Encoded] = [data] if data else []
    elif media == "multipart/form-data":
        images = await _from_multipart(body, content_type, settings.max_images)
    elif media == "application/json":
        images = await _from_json(await body.read(), settings.max_images)
    else:
        raise UnsupportedMediaType(content_type, ACCEPTED)
    if not images:
        raise NoImage
    return images


async def _from_multipart(body: Body, content_type: str, max_images: int) -> list[Encoded]:
    parts = FileParts(boundary(content_type), max_images)
    async for chunk in body:
        parts.write(chunk)
    return list(parts.finish())


async def _from_json(body: bytes, max_images: int) -> list[Encoded]:
    if len(body) < _LONG_JSON_BYTES:
        return _parse_json(body, max_images)
    return await asyncio.to_thread(_parse_json, body, max_images)


def _parse_json(body: bytes, max_images: int) -> list[Encoded]:
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
