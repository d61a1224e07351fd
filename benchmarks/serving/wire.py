"""HTTP/1.1 as bytes: requests are built once, of an answer only what counts is read."""

from collections.abc import Sequence
from typing import NamedTuple

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_CLOSE = b"\r\nconnection: close"
_LARGEST_HEAD_BYTES = 16 * 1024


class BadAnswer(Exception):
    """What came is no answer that this client can read."""


class Body(NamedTuple):
    """What a server is posted."""

    path: str
    content_type: str
    data: bytes


class Head(NamedTuple):
    """What an answer's head says."""

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
    end = buffer.find(_END, 0, size)
    if end < 0:
        if size > _LARGEST_HEAD_BYTES:
            raise BadAnswer("the head does not end")
        return None
    head = bytes(buffer[:end]).lower()
    at = head.find(_LENGTH)
    if at < 0 or not head.startswith(b"http/1.1 "):
        raise BadAnswer("no HTTP/1.1 head with a Content-Length")
    stop = head.find(b"\r\n", at + 2)
    length = head[at + len(_LENGTH) : stop if stop > 0 else end]
    try:
        start = end + len(_END)
        return Head(int(head[9:12]), start, start + int(length), _CLOSE in head)
    except ValueError:
        raise BadAnswer("the status or the length is no number") from None


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
