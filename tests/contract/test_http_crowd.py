"""More connections than one process may have: the service answers, whoever holds them."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import httpx
import pytest

from tests.support.serving import PATIENCE_S, ready
from tests.support.wires import line, request

MOST = 20
LIVE = request("GET", "/health/live")


@pytest.fixture(scope="module")
def address(tiny_registry: Path) -> Iterator[httpx.URL]:
    with ready(tiny_registry, max_connections=MOST) as client:
        yield client.base_url


@contextlib.contextmanager
def held(address: httpx.URL, sent: bytes, count: int = 5 * MOST) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as all_of_them:
        lines = []
        for _ in range(count):
            one = socket.create_connection((address.host, address.port), PATIENCE_S)
            lines.append(all_of_them.enter_context(one))
            with contextlib.suppress(OSError):  # closed for another one already
                one.sendall(sent)
        yield lines


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a", LIVE])
def test_idle_connections_make_room_for_new_ones(address: httpx.URL, sent: bytes) -> None:
    with held(address, sent):
        for _ in range(3):
            assert httpx.get(f"{address}/models").status_code == 200


def test_a_kept_connection_that_is_used_outlives_idle_ones(address: httpx.URL) -> None:
    with httpx.Client(base_url=address) as client, line(client) as mine:
        assert mine.send(LIVE).answer().status == 200
        for _ in range(3 * MOST):
            with held(address, b"", 1):
                assert mine.send(LIVE).answer().status == 200


def test_bodies_that_do_not_come_make_room_after_a_while(address: httpx.URL) -> None:
    start = request("POST", "/embed", "Content-Type: image/png", "Content-Length: 9999") + b"a"
    with held(address, start, MOST):
        for _ in range(100):
            with contextlib.suppress(httpx.TransportError):  # refused: all are in work
                assert httpx.get(f"{address}/models").status_code == 200
                return
            sleep(0.1)
    pytest.fail("nobody was let in")
