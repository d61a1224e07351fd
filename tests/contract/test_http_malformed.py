"""Malformed and ambiguous requests are refused, and nothing behind them is read."""

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.wires import chunked, line, request

IMAGE = picture(0)
PLAIN = "Content-Type: image/png"
CHUNKED = "Transfer-Encoding: chunked"
LIVE = request("GET", "/health/live")
EVIL = b"DELETE /collections/kept HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def kept(service: httpx.Client) -> httpx.Client:
    """A service with the collection that EVIL deletes."""
    assert service.put("/collections/kept").is_success
    return service


def length(value: str) -> bytes:
    return request("POST", "/embed", PLAIN, f"Content-Length: {value}")


MALFORMED = {
    "nonsense": b"nonsense\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no version": b"GET / \r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare LF behind a header": b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: x\r\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "space before a colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "space before a header": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "zero byte": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "target that is no address": b"GET http:///x HTTP/1.1\r\nHost: x\r\n\r\n",
    "target that is not ASCII": "GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "negative length": length("-1"),
    "signed length": length("+3"),
    "hexadecimal length": length("0x3"),
    "list of lengths": length("3, 3"),
    "two lengths": request("POST", "/embed", PLAIN, "Content-Length: 3", "Content-Length: 3"),
    "empty length": length(""),
    "length beyond 64 bits": length("99999999999999999999"),
    "length and chunks": request("POST", "/embed", PLAIN, "Content-Length: 3", CHUNKED),
    "chunks and length": request("POST", "/embed", PLAIN, CHUNKED, "Content-Length: 3"),
    "two codings": request("POST", "/embed", PLAIN, CHUNKED, "Transfer-Encoding: identity"),
    "chunks of HTTP/1.0": request("POST", "/embed", PLAIN, CHUNKED).replace(b"P/1.1", b"P/1.0"),
    "negative chunk": request("POST", "/embed", PLAIN, CHUNKED) + b"-1\r\n",
    "chunk beyond 64 bits": request("POST", "/embed", PLAIN, CHUNKED) + b"F" * 17 + b"\r\n",
    "chunk longer than it says": request("POST", "/embed", PLAIN, CHUNKED) + b"3\r\nabcd\r\n",
    "chunk behind bare LF": request("POST", "/embed", PLAIN, CHUNKED) + b"3\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("at_once", [True, False])
def test_it_is_refused(kept: httpx.Client, sent: bytes, *, at_once: bool) -> None:
    with line(kept) as one:
        one.send(LIVE)
        assert one.answer().status == 200
        parts = [sent + EVIL] if at_once else [sent[:5], sent[5:40], sent[40:] + EVIL]
        one.send(*parts)
        answer = one.answer()
        assert (answer.status, answer.code) == (400, "malformed_request")
        assert answer.headers["connection"] == "close"
        assert one.end() == b""
    assert kept.get("/collections/kept").status_code == 200


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (request("DELETE", "/collections/kept", "Transfer-Encoding: gzip"), 501, "not_implemented"),
        (request("DELETE", "/collections/kept", "Transfer-Encoding: gzip, chunked"), 501,
         "not_implemented"),
        (request("DELETE", "/collections/kept", "Transfer-Encoding: xchunked"), 501,
         "not_implemented"),
        (request("DELETE", "/collections/kept").replace(b"P/1.1", b"P/2.0"), 505,
         "unsupported_version"),
        (b"DELETE /collections/kept\r\n\r\n", 505, "unsupported_version"),
        (request("DELETE", "/collections/kept", CHUNKED) + b"x\r\n", 400, "malformed_request"),
    ],
)  # fmt: skip
def test_it_is_not_done(kept: httpx.Client, sent: bytes, status: int, code: str) -> None:
    with line(kept) as one:
        one.send(sent)
        answer = one.answer()
        assert (answer.status, answer.code) == (status, code)
    assert kept.get("/collections/kept").status_code == 200


def test_it_is_answered_in_its_turn(service: httpx.Client) -> None:
    whole = request("POST", "/embed", PLAIN, body=IMAGE)
    with line(service) as one:
        one.send(whole * 3 + b"nonsense\r\n\r\n" + whole)
        assert [answer.status for answer in one.answers(4)] == [200, 200, 200, 400]
        assert one.end() == b""


def test_it_keeps_its_id_and_is_counted(service: httpx.Client) -> None:
    with line(service) as one:
        one.send(request("GET", "/health/live", "X-Request-ID: mine-1", "B: c", "A : b"))
        answer = one.answer()
        assert answer.headers["x-request-id"] == "mine-1"
        assert answer.code == "malformed_request"
    name = 'lossatlas_requests_total{method="GET",route="unmatched",status="400"}'
    assert name in service.get("/metrics").text


def test_openai_clients_find_their_own_form(service: httpx.Client) -> None:
    with line(service) as one:
        one.send(request("POST", "/v1/embeddings", "A : b"))
        assert one.answer().json()["error"]["code"] == "malformed_request"


@pytest.mark.parametrize(
    "target", ["http://x/health/live", "http://x:80/health/live?", "//health/live/../x", "*"]
)
def test_targets_of_every_form_are_read(service: httpx.Client, target: str) -> None:
    expected = 200 if "live" in target.rstrip("?")[-4:] else 404
    with line(service) as one:
        one.send(request("GET", target))
        assert one.answer().status == expected


def test_an_address_without_a_path_is_the_front_page(service: httpx.Client) -> None:
    with line(service) as one:
        one.send(request("GET", "http://x"))
        answer = one.answer()
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_a_huge_chunk_is_read_as_far_as_it_may_be(service: httpx.Client) -> None:
    with line(service) as one:
        one.send(request("POST", "/embed", PLAIN, CHUNKED) + b"FFFFFFFFFFFFFFF\r\n")
        with pytest.raises(OSError):
            for _ in range(200):
                one.send(b"a" * 2**20)


def test_chunks_are_joined(service: httpx.Client) -> None:
    expected = service.post("/embed", content=IMAGE, headers={"Content-Type": "image/png"}).json()
    with line(service) as one:
        one.send(request("POST", "/embed", PLAIN, CHUNKED) + chunked(IMAGE[:7], IMAGE[7:]) + LIVE)
        assert one.answer().json() == expected
        assert one.answer().status == 200
