"""Answers on the wire: each whole, whatever the method and however it asks."""

import asyncio
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service.http.transport.server_config import server_config
from service.settings import Settings
from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S

POST = "POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


@pytest.fixture
def wire(client: httpx.Client) -> Iterator[socket.socket]:
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        yield connection


def receive(wire: socket.socket) -> tuple[bytes, bytes]:
    """One answer: its head, and its body of the declared length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += wire.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    if head.startswith(b"HTTP/1.1 2") or b"problem" in head:
        while len(body) < length:
            body += wire.recv(65536)
    return head, body


def test_answers_follow_each_other_on_one_connection(wire: socket.socket) -> None:
    image = picture(0)
    for _ in range(3):
        wire.sendall(f"{POST}Content-Length: {len(image)}\r\n\r\n".encode() + image)
        head, body = receive(wire)
        assert head.startswith(b"HTTP/1.1 200")
        assert body.startswith(b'{"loss"')


def test_pipelined_requests_are_answered_in_order(wire: socket.socket) -> None:
    wire.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    data = b""
    while data.count(b'"live"') < 3:
        data += wire.recv(65536)
    assert data.count(b"HTTP/1.1 200") == 3


def test_an_answer_without_a_body_is_not_held_back(wire: socket.socket) -> None:
    wire.sendall(b"HEAD /nix HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.recv(65536).startswith(b"HTTP/1.1 404")


def test_who_waits_for_100_continue_gets_it(wire: socket.socket) -> None:
    image = picture(0)
    wire.sendall(f"{POST}Expect: 100-continue\r\nContent-Length: {len(image)}\r\n\r\n".encode())
    assert wire.recv(65536).startswith(b"HTTP/1.1 100")
    wire.sendall(image)
    assert receive(wire)[0].startswith(b"HTTP/1.1 200")


def test_what_is_no_http_gets_its_answer_and_the_connection_closed(wire: socket.socket) -> None:
    wire.sendall(b"nonsense\r\n\r\n")
    assert wire.recv(65536).startswith(b"HTTP/1.1 400")
    assert wire.recv(65536) == b""


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def is_closing(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def writelines(self, parts: Iterable[Any]) -> None:
        self.writes.append(b"".join(parts))

    def close(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def test_head_and_body_leave_in_one_write() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"hello", "more_body": True})
        await send({"type": "http.response.body", "body": b"world"})

    async def main() -> list[bytes]:
        config = server_config(answer, Settings(), stop_s=5)
        config.load()
        transport, state = Transport(), ServerState()
        protocol: Any = config.http_protocol_class
        protocol = protocol(config=config, server_state=state, app_state={})
        protocol.connection_made(transport)
        protocol.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.gather(*state.tasks)
        return transport.writes

    first, second = asyncio.run(main())
    assert first.startswith(b"HTTP/1.1 200")
    assert b"hello" in first
    assert b"world" in second
