"""Limits of a connection: bytes of a head and of what surrounds a body, and time for both."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S, ready
from tests.support.wires import Line, chunked, line, request

IMAGE = picture(0)
PLAIN = "Content-Type: image/png"
CHUNKED = "Transfer-Encoding: chunked"
LIVE = request("GET", "/health/live")


@pytest.fixture(scope="module")
def limited(tiny_registry: Path) -> Iterator[httpx.Client]:
    """A service that asks for a key, to show that limits come before it."""
    with ready(
        tiny_registry,
        api_key="hush",
        max_target_bytes=300,
        max_headers=20,
        max_header_bytes=2000,
    ) as client:
        yield client


@pytest.fixture(scope="module")
def hasty(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(
        tiny_registry,
        head_timeout_s=1,
        body_timeout_s=1,
        min_bytes_per_s=100,
        keep_alive_s=600,
        max_inflight_bytes=1,  # so that it is max_body_bytes
        max_body_bytes=4_000_000,
    ) as client:
        yield client


def filled(names: int, size: int) -> tuple[str, ...]:
    return tuple(f"X-{i}: {'a' * size}" for i in range(names))


@pytest.mark.parametrize(
    ("start", "status", "code"),
    [
        (b"GET /" + b"a" * 400, 414, "target_too_long"),
        (b"GET /?" + b"a=b&" * 100 + b" HTTP/1.1\r\n", 414, "target_too_long"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 22, 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 3000, 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"A" * 3000, 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + (b"A: " + b"b" * 500 + b"\r\n") * 5, 431, "headers_too_large"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_long_head_is_refused_before_it_ends(
    limited: httpx.Client, start: bytes, status: int, code: str, *, whole: bool
) -> None:
    with line(limited) as one:
        if whole:
            one.send(LIVE + start)
        else:
            one.send(LIVE, start[:7], start[7:100], start[100:])
        assert one.answer().status == 200
        answer = one.answer()
        assert (answer.status, answer.code) == (status, code)
        assert answer.headers["connection"] == "close"
        assert one.end() == b""


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (request("GET", "/?" + "a" * 299), "target_too_long"),
        (request("GET", "/", *filled(20, 1)), "headers_too_large"),
        (request("GET", "/", *filled(2, 1000)), "headers_too_large"),
        (request("GET", "/", *filled(2, 1000), "Upgrade: h2c", "Connection: upgrade"),
         "headers_too_large"),
    ],
)  # fmt: skip
def test_a_long_head_that_is_whole_is_refused(
    limited: httpx.Client, sent: bytes, code: str
) -> None:
    with line(limited) as one:
        one.send(sent + LIVE)
        assert one.answer().code == code
        assert one.end() == b""


def test_a_head_within_the_limits_is_taken(limited: httpx.Client) -> None:
    with line(limited) as one:
        one.send(request("GET", "/health/live", *filled(19, 1)))
        one.send(request("GET", "/health/live", *filled(2, 900)))
        assert [answer.status for answer in one.answers(2)] == [200, 200]
        one.send((b"\r\n" + LIVE) * 300)  # together more than a head may have
        assert {answer.status for answer in one.answers(300)} == {200}


def test_only_who_has_the_key_learns_more(limited: httpx.Client) -> None:
    with line(limited) as one:
        one.send(request("POST", "/embed", PLAIN, body=IMAGE))
        assert one.answer().code == "unauthorized"


@pytest.mark.parametrize(
    "body",
    [
        b"3;" + b"a" * 6000,
        b"3\r\nabc\r\n0\r\nA: " + b"b" * 6000,
        b"3\r\nabc\r\n0\r\n" + b"A: b\r\n" * 1200,
        b"3\r\nabc\r\n" + b"0" * 6000,
    ],
    ids=["extension", "trailer", "trailers", "zeros"],
)
def test_what_surrounds_a_body_is_bounded(limited: httpx.Client, body: bytes) -> None:
    head = request("POST", "/embed", PLAIN, CHUNKED, "Authorization: Bearer hush")
    with line(limited) as one:
        # Where the first piece arrives with the head, it is not counted: the rest must do.
        one.send(head, body[:1000], body[1000:])
        answer = one.answer()
        assert (answer.status, answer.code) == (431, "headers_too_large")
        assert one.end() == b""


def test_small_chunks_and_extensions_are_read(limited: httpx.Client) -> None:
    key = "Authorization: Bearer hush"
    head = request("POST", "/embed", PLAIN, CHUNKED, key)
    singles = [IMAGE[at : at + 1] for at in range(len(IMAGE))]
    extended = b"%x;a=b\r\n%b\r\n0;c\r\nX-Trailer: 1\r\n\r\n" % (len(IMAGE), IMAGE)
    with line(limited) as one:
        for body in (chunked(*singles), extended):
            one.send(head + body)
            assert one.answer().status == 200


def test_trailers_are_no_headers(limited: httpx.Client) -> None:
    trailers = b"Authorization: Bearer hush\r\nX-Request-ID: mine\r\n"
    with line(limited) as one:
        one.send(request("POST", "/embed", PLAIN, CHUNKED) + chunked(IMAGE, trailers=trailers))
        answer = one.answer()
        assert answer.code == "unauthorized"
        assert answer.headers["x-request-id"] != "mine"


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_come_is_not_awaited(hasty: httpx.Client, start: bytes) -> None:
    with line(hasty) as one:
        one.send(LIVE + start)
        assert one.answer().status == 200
        answer = one.answer()
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert one.end() == b""


def trickle(one: Line, text: bytes, pool: ThreadPoolExecutor) -> None:
    """Send a byte now and then, until the service has had enough."""

    def run() -> None:
        for at in range(len(text)):
            try:
                one.send(text[at : at + 1])
            except OSError:
                return
            time.sleep(0.1)

    pool.submit(run)


@pytest.mark.parametrize(
    ("head", "slow"),
    [
        (b"GET / HTTP/1.1\r\n", b"A: b\r\n" * 100),
        (request("POST", "/embed", PLAIN, "Content-Length: 5000"), b"a" * 600),
        (request("POST", "/embed", PLAIN, CHUNKED), b"1\r\na\r\n" * 100),
        (request("POST", "/embed", PLAIN, CHUNKED), b"1;" + b"a" * 600),
    ],
    ids=["head", "body", "chunks", "extension"],
)
def test_what_trickles_is_not_awaited(hasty: httpx.Client, head: bytes, slow: bytes) -> None:
    with ThreadPoolExecutor(1) as pool, line(hasty) as one:
        one.send(head)
        trickle(one, slow, pool)
        answer = one.answer()
        assert (answer.status, answer.code) == (408, "request_timeout")
        one.end()


def test_empty_lines_are_no_head(hasty: httpx.Client) -> None:
    with ThreadPoolExecutor(1) as pool, line(hasty) as one:
        trickle(one, b"\r\n" * 300, pool)
        assert one.end() == b""


def test_a_body_that_stalls_is_not_awaited(hasty: httpx.Client) -> None:
    for framing, start in (("Content-Length: 1000", b"a"), (CHUNKED, b"5\r\na"), (CHUNKED, b"")):
        with line(hasty) as one:
            one.send(request("POST", "/embed", PLAIN, framing), start)
            assert one.answer().code == "request_timeout"
            assert one.end() == b""


def test_a_connection_that_says_nothing_is_closed(hasty: httpx.Client) -> None:
    with line(hasty) as one:
        assert one.end() == b""


def test_a_slow_body_that_comes_is_taken(hasty: httpx.Client) -> None:
    with line(hasty) as one:
        one.send(request("POST", "/embed", PLAIN, f"Content-Length: {len(IMAGE)}"))
        step = len(IMAGE) // 6 + 1  # above 100 bytes a second
        for at in range(0, len(IMAGE), step):
            time.sleep(0.3)
            one.send(IMAGE[at : at + step])
        assert one.answer().status == 200


def test_an_answer_that_is_not_taken_is_dropped(hasty: httpx.Client) -> None:
    with line(hasty) as one:
        one.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connection.settimeout(1)
        with pytest.raises(OSError):
            while True:
                one.send(request("GET", "/openapi.json") * 10)
        give_up = time.monotonic() + PATIENCE_S
        one.connection.settimeout(PATIENCE_S)
        while time.monotonic() < give_up:
            time.sleep(0.5)
            try:
                one.send(b"GET")
            except OSError:
                break
        else:
            raise AssertionError("the connection is still open")


def test_a_body_that_is_not_read_is_passed_over(hasty: httpx.Client) -> None:
    with line(hasty) as one:
        one.send(request("GET", "/health/live", body=b"a" * 300_000))
        assert one.answer().status == 200
        one.send(LIVE)
        assert one.answer().status == 200
        one.send(request("GET", "/health/live", CHUNKED))
        assert one.answer().status == 200
        with pytest.raises(OSError):
            for _ in range(1000):
                one.send(b"fffff\r\n" + b"a" * 0xFFFFF + b"\r\n")


def test_an_answer_that_comes_before_the_body_is_not_lost(hasty: httpx.Client) -> None:
    body = b"a" * 5_000_000
    with line(hasty) as one:
        one.send(request("POST", "/embed", PLAIN, body=body))
        answer = one.answer()
        assert (answer.status, answer.code) == (413, "body_too_large")


@pytest.fixture(scope="module")
def narrow(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(
        tiny_registry, max_body_bytes=1_000_000, max_inflight_bytes=1, api_key="hush"
    ) as client:
        client.headers["Authorization"] = "Bearer hush"
        yield client


def test_bodies_in_flight_have_a_budget(narrow: httpx.Client) -> None:
    key = "Authorization: Bearer hush"
    large = request("POST", "/embed", PLAIN, key, "Content-Length: 800000")
    in_chunks = request("POST", "/embed", PLAIN, key, CHUNKED)
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    with line(narrow) as first, line(narrow) as second, line(narrow) as stranger:
        first.send(large, b"a" * 799_999)
        held(narrow, 500_000)
        second.send(large)  # refused by what it declares
        answer = second.answer()
        assert (answer.status, answer.code) == (503, "bodies_full")
        assert answer.headers["retry-after"] == "1"
        with line(narrow) as third:  # refused by what comes
            third.send(in_chunks, chunk * 5)
            assert third.answer().code == "bodies_full"
        stranger.send(request("POST", "/embed", PLAIN, "Content-Length: 800000"))
        assert stranger.answer().code == "unauthorized"
        assert narrow.post(
            "/embed", content=IMAGE, headers={"Content-Type": "image/png"}
        ).is_success
        first.send(b"a")
        assert first.answer().code == "undecodable_image"
        first.send(large, b"a" * 800_000)  # room again
        assert first.answer().code == "undecodable_image"


def held(client: httpx.Client, least: int) -> None:
    """Wait until bodies in progress have this many bytes."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        found = re.search(r"^lossatlas_body_bytes (\S+)", client.get("/metrics").text, re.MULTILINE)
        assert found
        if float(found[1]) >= least:
            return
        time.sleep(0.02)
    raise AssertionError("the body was not read")
