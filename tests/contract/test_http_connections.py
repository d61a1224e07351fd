"""Connections: half-closed ones, those that wait, pipelined requests, bodies that may not come."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.errors import Overloaded
from service.inference.capacity import Capacity
from service.inference.session import Session
from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S, ready, started
from tests.support.wires import line, request

IMAGE = picture(0)
PLAIN = "Content-Type: image/png"
LIVE = request("GET", "/health/live")
EMBED = request("POST", "/embed", PLAIN, body=IMAGE)


@pytest.mark.parametrize("sent", [LIVE, EMBED, LIVE + EMBED * 3, EMBED * 60])
def test_a_client_may_close_its_sending_side(service: httpx.Client, sent: bytes) -> None:
    with line(service) as one:
        one.send(sent).send_end()
        answers = one.answers(sent.count(b"HTTP/1.1\r\n"))
        assert {answer.status for answer in answers} == {200}
        assert one.end() == b""


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Inference waits for it."""
    opened = threading.Event()
    run = Session.run

    def wait(self: Session, images: object) -> object:
        opened.wait(PATIENCE_S)
        return run(self, images)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(Session, "run", wait)
    yield opened
    opened.set()


def test_who_waits_behind_a_closed_sending_side_is_answered(
    tiny_registry: Path, gate: threading.Event
) -> None:
    gate.set()
    with ready(tiny_registry) as client, line(client) as one:
        gate.clear()
        one.send(EMBED).send_end()
        time.sleep(1.2)  # longer than the service is sure that its client is there
        gate.set()
        assert one.answer().status == 200
        assert one.end() == b""


def test_who_closes_both_sides_is_gone(tiny_registry: Path, gate: threading.Event) -> None:
    gate.set()
    with ready(tiny_registry) as client:
        gate.clear()
        with line(client) as one:
            one.send(EMBED)
            time.sleep(0.2)
        give_up = time.monotonic() + PATIENCE_S
        while 'status="499"' not in client.get("/metrics").text:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        gate.set()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HT",
        request("POST", "/embed", PLAIN, "Content-Length: 10") + b"abc",
        request("POST", "/embed", PLAIN, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n",
    ],
    ids=["head", "body", "chunks"],
)
def test_half_a_request_is_refused(service: httpx.Client, sent: bytes) -> None:
    with line(service) as one:
        one.send(sent).send_end()
        answer = one.answer()
        assert (answer.status, answer.code) == (400, "incomplete_request")
        assert one.end() == b""


def test_who_says_nothing_gets_nothing(service: httpx.Client) -> None:
    with line(service) as one:
        assert one.send_end().end() == b""


def test_idle_connections_have_a_setting(tiny_registry: Path) -> None:
    with ready(tiny_registry, keep_alive_s=0.5) as client, line(client) as one:
        one.send(LIVE)
        assert one.answer().status == 200
        assert one.end() == b""
    with ready(tiny_registry, head_timeout_s=0.5) as client, line(client) as one:
        one.send(LIVE)
        assert one.answer().status == 200
        time.sleep(2)  # which is within the default
        one.send(LIVE)
        assert one.answer().status == 200


@pytest.mark.parametrize("at_once", [True, False])
def test_a_thousand_requests_in_a_row(service: httpx.Client, *, at_once: bool) -> None:
    sent = [LIVE, EMBED, request("POST", "/embed", PLAIN, "Expect: x", body=b"no image")] * 333
    with line(service) as one:
        sender = threading.Thread(target=one.send, args=[b"".join(sent)] if at_once else sent)
        sender.start()
        assert [answer.status for answer in one.answers(999)] == [200, 200, 422] * 333
        sender.join()
        one.send(LIVE)
        assert one.answer().status == 200


def test_little_is_read_ahead(tiny_registry: Path, gate: threading.Event) -> None:
    """However many requests come behind a slow one, few of them are made into something."""
    gate.set()
    with ready(tiny_registry) as client, line(client) as one:
        gate.clear()
        one.connection.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(2000):
                one.send(EMBED + LIVE * 1000)
        gate.set()
        one.connection.settimeout(PATIENCE_S)
        assert [answer.status for answer in one.answers(50)] == [200] * 50


@pytest.fixture
def full(tiny_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A service whose queues have no room."""

    def refuse(_: Capacity) -> None:
        raise Overloaded(4)

    with ready(tiny_registry) as client:
        monkeypatch.setattr(Capacity, "reserve", refuse)
        yield client


def test_a_body_that_need_not_come_ends_the_connection(full: httpx.Client) -> None:
    """The client waits to be let on and is refused: whether it sends its body is open."""
    waiting = request("POST", "/embed", PLAIN, "Expect: 100-continue", "Content-Length: 100")
    with line(full) as one:
        one.send(waiting)
        answer = one.answer()
        assert answer.code == "overloaded"
        assert answer.headers["connection"] == "close"
        one.send(LIVE)
        assert one.end() == b""


def test_a_body_that_comes_is_passed_over(full: httpx.Client) -> None:
    with line(full) as one:
        one.send(EMBED[: -len(IMAGE)])
        assert one.answer().code == "overloaded"
        one.send(IMAGE[:10], IMAGE[10:] + EMBED)
        assert one.answer().code == "overloaded"


def test_who_waited_and_sent_goes_on(service: httpx.Client) -> None:
    waiting = request("POST", "/embed", PLAIN, "Expect: 100-continue", body=IMAGE)
    head, body = waiting[: -len(IMAGE)], waiting[-len(IMAGE) :]
    with line(service) as one:
        for _ in range(2):
            one.send(head)
            assert one.connection.recv(65536).startswith(b"HTTP/1.1 100 ")
            one.send(body)
            assert one.answer().status == 200


def test_who_waits_with_nothing_to_send_goes_on(service: httpx.Client) -> None:
    waiting = request("GET", "/health/live", "Expect: 100-continue")
    with line(service) as one:
        for _ in range(2):
            one.send(waiting)
            assert one.answer().status == 200


def test_http_1_0_is_answered_and_closed(service: httpx.Client) -> None:
    with line(service) as one:
        one.send(EMBED.replace(b"HTTP/1.1", b"HTTP/1.0"))
        answer = one.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert one.end() == b""


def test_who_keeps_it_from_stopping_is_refused(tiny_registry: Path, tmp_path: Path) -> None:
    flags = (f"--registry={tiny_registry}", f"--data-dir={tmp_path}", "--workers=1")
    head = request("POST", "/embed", PLAIN, "Content-Length: 1000").replace(b": x", b": localhost")
    with started(*flags) as (client, process), line(client) as one, line(client) as idle:
        idle.send(LIVE.replace(b": x", b": localhost"))
        assert idle.answer().status == 200
        one.send(head, b"a")
        give_up = time.monotonic() + PATIENCE_S
        while "lossatlas_body_bytes 1.0" not in client.get("/metrics").text:
            assert time.monotonic() < give_up
        process.terminate()
        answer = one.answer()
        assert (answer.status, answer.code) == (503, "stopping")
        assert one.end() == b""
        assert idle.end() == b""
