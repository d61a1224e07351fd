"""Refusals that pass the application by say what the application says."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.batcher import Batcher
from service.errors import Overloaded
from tests.bundles import picture
from tests.serving import PATIENCE_S, ready

IMAGE = picture(0)
HEADERS = {"Content-Type": "image/png"}


@pytest.fixture
def client(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry) as found:
        yield found


@pytest.fixture
def overload(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every queue is full; the fixture `client` has met that once, at /embed."""

    def refuse(_: Batcher, items: int = 1) -> None:
        raise Overloaded(4)

    monkeypatch.setattr(Batcher, "check_room", refuse)
    monkeypatch.setattr(Batcher, "full", property(lambda _: True))
    assert embed(client).status_code == 503


def embed(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/embed", content=IMAGE, headers=HEADERS | headers)


def raw(client: httpx.Client, *sent: bytes) -> bytes:
    """What comes back over a connection of its own, until the service closes it."""
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as line:
        line.settimeout(PATIENCE_S)
        for part in sent:
            line.sendall(part)
        return b"".join(iter(lambda: line.recv(65536), b""))


def test_the_answers_are_the_same(client: httpx.Client, overload: None) -> None:
    first = client.post("/embed?loss=softmax", content=IMAGE, headers=HEADERS)
    second = client.post("/embed?loss=softmax", content=IMAGE, headers=HEADERS)
    for answer in (first, second):
        assert answer.json().pop("request_id") == answer.headers["x-request-id"]
        assert answer.headers["retry-after"] == "1"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    bodies = [{**one.json(), "request_id": ""} for one in (first, second)]
    assert bodies[0] == bodies[1]
    assert bodies[0]["code"] == "overloaded"
    assert sorted(first.headers) == sorted(second.headers)


def test_the_application_does_not_see_them(
    client: httpx.Client, overload: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Batcher, items: int = 1) -> None:
        raise AssertionError("asked in full")

    monkeypatch.setattr(Batcher, "check_room", fail)
    assert embed(client).status_code == 503
    assert client.post("/embed?loss=softmax", content=IMAGE, headers=HEADERS).status_code == 500


def test_they_are_counted(client: httpx.Client, overload: None) -> None:
    for _ in range(3):
        embed(client)
    lines = client.get("/metrics").text.splitlines()
    assert 'lossatlas_requests_total{method="POST",route="/embed",status="503"} 4.0' in lines
    assert 'lossatlas_dropped_requests_total{reason="overloaded"} 4.0' in lines


def test_a_request_keeps_its_id(client: httpx.Client, overload: None) -> None:
    answer = embed(client, **{"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "mine-1"
    assert embed(client, **{"X-Request-ID": "not mine"}).headers["x-request-id"] != "not mine"


def test_other_requests_are_answered(client: httpx.Client, overload: None) -> None:
    assert client.get("/health/live").status_code == 200
    assert client.get("/embed").status_code == 405
    assert client.post("/embed?loss=none", content=IMAGE, headers=HEADERS).status_code == 404


def test_one_connection_goes_on_when_there_is_room_again(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ready(tiny_registry) as client:
        expected = embed(client).content
        full = True

        def check_room(self: Batcher, items: int = 1) -> None:
            if full:
                raise Overloaded(4)

        monkeypatch.setattr(Batcher, "check_room", check_room)
        monkeypatch.setattr(Batcher, "full", property(lambda _: full))
        assert [embed(client).status_code for _ in range(3)] == [503] * 3
        full = False
        assert embed(client).content == expected


HEAD = b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n"


def test_a_body_that_comes_later_is_passed_over(client: httpx.Client, overload: None) -> None:
    head = HEAD % len(IMAGE) + b"\r\n"
    last = head.replace(b"Host: x", b"Host: x\r\nConnection: close")
    answers = raw(client, head, IMAGE[:50], IMAGE[50:] + head, IMAGE, last, IMAGE)
    assert answers.count(b"HTTP/1.1 503 ") == 3
    assert answers.count(b"connection: close") == 1


@pytest.mark.parametrize(
    "head",
    [
        HEAD % len(IMAGE) + b"Expect: 100-continue\r\n\r\n",
        (HEAD % len(IMAGE)).replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + IMAGE,
    ],
    ids=["waits to be told", "HTTP/1.0"],
)
def test_who_will_not_go_on_is_let_go(client: httpx.Client, overload: None, head: bytes) -> None:
    answer = raw(client, head)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" in answer
    assert b"overloaded" in answer
