"""Requests and answers as bytes; the server's own parsers read what is built."""

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP

import pytest

from benchmarks.serving import wire
from benchmarks.serving.wire import BadAnswer, Head

BODY = b"0123456789"
ANSWER = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 10\r\n\r\n" + BODY


def read(data: bytes) -> Head | None:
    """As the generator does: the buffer is larger than what was received."""
    return wire.read_head(bytearray(data + b"\r\n\r\nleft over"), len(data))


def test_a_head_says_where_the_body_is() -> None:
    head = read(ANSWER)
    assert head is not None
    assert head.status == 200
    assert ANSWER[head.start : head.stop] == BODY
    assert not head.closes


@pytest.mark.parametrize("size", range(len(ANSWER) - len(BODY)))
def test_a_part_of_a_head_is_no_head(size: int) -> None:
    assert read(ANSWER[:size]) is None


@pytest.mark.parametrize(
    "fields",
    [
        b"content-length: 3\r\n",
        b"CONTENT-LENGTH:3\r\n",
        b"date: now\r\nContent-length: \t3 \r\nx: y\r\n",
        b"x-content-length: 9\r\ncontent-length: 3\r\n",
    ],
)
def test_the_length_is_found_however_it_is_written(fields: bytes) -> None:
    head = read(b"HTTP/1.1 503 Service Unavailable\r\n" + fields + b"\r\nabc")
    assert head is not None
    assert (head.status, head.stop - head.start) == (503, 3)


@pytest.mark.parametrize(
    ("fields", "closes"),
    [(b"connection: close\r\n", True), (b"Connection:close\r\n", True), (b"x: close\r\n", False)],
)
def test_whether_the_server_closes(fields: bytes, closes: bool) -> None:
    head = read(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + fields + b"\r\n")
    assert head is not None
    assert head.closes is closes


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: y\r\n\r\ncontent-length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"HTTP/2 200\r\ncontent-length: 3\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_what_is_no_answer_with_a_length_is_bad(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(data)


def test_a_raw_body_is_the_image_itself() -> None:
    request = wire.post(wire.raw("/embed?loss=x", [b"\xff\xd8 image"]))
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /embed?loss=x HTTP/1.1"
    assert b"Content-Type: image/jpeg" in head.splitlines()
    assert b"Content-Length: 8" in head.splitlines()
    assert body == b"\xff\xd8 image"


def test_multipart_keeps_images_and_order() -> None:
    images = [b"\xff\xd8\r\n--dash", b"", b"\r\n", b"last"]
    body = wire.multipart("/embed", images)
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    parts = BytesParser(policy=HTTP).parsebytes(head + body.data).get_payload()
    assert isinstance(parts, list)
    assert [_content(part) for part in parts] == images


def _content(part: Message | str) -> bytes:
    assert isinstance(part, Message)
    assert part.get_filename()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def test_messagepack_as_its_specification_has_it() -> None:
    packed = wire.msgpack("/embed", [b"ab", b"c"])
    assert packed.data == b"\xdc\x00\x02" + b"\xc6\x00\x00\x00\x02ab" + b"\xc6\x00\x00\x00\x01c"
