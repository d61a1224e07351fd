"""HTTP/1.1 as bytes: requests are built once, of an answer only what counts is read."""

import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

_END = b"\r\n\r\n"
_HEAD = re.compile(
    rb"HTTP/1\.1 (\d{3})[^\r\n]*(?:\r\n[^\r\n]+)*?"
    rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?:\r\n[^\r\n]+)*\r\n\r\n",
    re.IGNORECASE,
)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close\b", re.IGNORECASE)  # slow, so only if it may be
_LARGEST_HEAD_BYTES = 16 * 1024


class BadAnswer(Exception):
    """The answer cannot be read by this client."""


class Body(NamedTuple):
    """The body that a server is posted."""

    path: str
    content_type: str
    data: bytes


class Head(NamedTuple):
    """The head of an answer."""

    status: int
    start: int  # where the body starts
    stop: int  # and where the whole answer ends
    closes: bool  # the server will close the connection


def post(body: Body) -> bytes:
    """The whole request."""
    head = (
        f"POST {body.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: {body.content_type}\r\nContent-Length: {len(body.data)}\r\n\r\n"
    )
    return head.encode() + body.data


def get(path: str) -> bytes:
    """The whole request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def read_head(buffer: bytearray, size: int) -> Head | None:
    """The head in the first `size` bytes; None where it is not complete yet.

    Raises BadAnswer where it is no HTTP/1.1 head with a length.
    """
    found = _HEAD.match(buffer, 0, size)
    if found is None:
        if size > _LARGEST_HEAD_BYTES or buffer.find(_END, 0, size) >= 0:
            raise BadAnswer("no HTTP/1.1 head with a Content-Length")
        return None
    start = found.end()
    status, length = found.groups()
    closes = buffer.find(b"close", 0, start) > 0 and _CLOSE.search(buffer, 0, start) is not None
    return Head(int(status), start, start + int(length), closes)


def multipart(path: str, images: Sequence[bytes]) -> Body:
    """Each image one file part, as `curl -F image=@...` would send them."""
    boundary = "----LossAtlasBenchmark7d1f0c"
    parts = []
    for index, image in enumerate(images):
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; '
            f'filename="{index}.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        )
        parts += [head.encode(), image, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return Body(path, f"multipart/form-data; boundary={boundary}", b"".join(parts))


def raw(path: str, images: Sequence[bytes]) -> Body:
    """The one image itself."""
    (image,) = images
    return Body(path, "image/jpeg", image)


def msgpack(path: str, images: Sequence[bytes]) -> Body:
    """An array of byte strings in MessagePack: an array 16 of bin 32, in its specification."""
    packed = [struct.pack(">BI", 0xC6, len(image)) + image for image in images]
    data = struct.pack(">BH", 0xDC, len(images)) + b"".join(packed)
    return Body(path, "application/msgpack", data)
