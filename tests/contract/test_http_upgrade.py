"""Offers to speak another protocol are ignored: the request, body included, is HTTP/1.1.

A body behind `Upgrade` must never be read as the next request.
"""

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.wires import chunked, line, request

IMAGE = picture(0)
PLAIN = "Content-Type: image/png"
EVIL = b"DELETE /collections/kept HTTP/1.1\r\nHost: x\r\n\r\n"
OFFERS = {
    "h2c, as Java sends it": (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    ),
    "websocket": ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "TLS": ("Upgrade: TLS/1.0", "Connection: upgrade"),
    "several": ("Upgrade: foo/2, h2c", "Connection: keep-alive, Upgrade"),
    "two connection headers": ("Connection: upgrade", "Upgrade: foo", "Connection: keep-alive"),
    "named, not offered": ("Connection: upgrade",),
    "offered, not named": ("Upgrade: h2c",),
}
offers = pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)


@pytest.fixture
def kept(service: httpx.Client) -> httpx.Client:
    """A service with the collection that EVIL deletes."""
    assert service.put("/collections/kept").is_success
    return service


def embedding(client: httpx.Client) -> object:
    return client.post("/embed", content=IMAGE, headers={"Content-Type": "image/png"}).json()


@offers
def test_the_request_is_answered(service: httpx.Client, offer: tuple[str, ...]) -> None:
    whole = request("POST", "/embed", PLAIN, *offer, body=IMAGE)
    head = whole[: -len(IMAGE)]
    in_chunks = request("POST", "/embed", PLAIN, "Transfer-Encoding: chunked", *offer)
    expected = embedding(service)
    with line(service) as one:
        one.send(whole)
        assert one.answer().json() == expected
        one.send(head, IMAGE[:10], IMAGE[10:])
        assert one.answer().json() == expected
        one.send(in_chunks + chunked(IMAGE[:100], IMAGE[100:]))
        assert one.answer().json() == expected
        one.send(in_chunks, chunked(IMAGE))
        assert one.answer().json() == expected
        one.send(request("GET", "/health/live", *offer) * 3 + whole * 3)
        answers = one.answers(6)
        assert [answer.json()["status"] for answer in answers[:3]] == ["live"] * 3
        assert [answer.json() for answer in answers[3:]] == [expected] * 3


@offers
@pytest.mark.parametrize("padding", [0, 200_000])
def test_a_body_is_never_a_request(
    kept: httpx.Client, offer: tuple[str, ...], padding: int
) -> None:
    body = b"\r\n" * padding + EVIL
    whole = request("POST", "/embed", PLAIN, *offer, body=body)
    in_chunks = request("POST", "/embed", PLAIN, "Transfer-Encoding: chunked", *offer)
    with line(kept) as one:
        for sent in ([whole], [whole[: -len(body)], body], [in_chunks + chunked(body)]):
            one.send(*sent)
            assert one.answer().code == "undecodable_image"
    with line(kept) as one:
        one.send(in_chunks, chunked(body[:1], body[1:]))
        assert one.answer().code == "undecodable_image"
        one.send(request("GET", "/collections/kept"))
        assert one.answer().status == 200


def test_what_follows_is_answered_byte_by_byte(kept: httpx.Client) -> None:
    offer = OFFERS["h2c, as Java sends it"]
    sent = request("POST", "/embed", PLAIN, *offer, body=EVIL) + request("GET", "/health/live")
    with line(kept) as one:
        for at in range(len(sent)):
            one.send(sent[at : at + 1])
        assert one.answer().code == "undecodable_image"
        assert one.answer().json() == {"status": "live"}


def test_the_choice_to_close_is_kept(service: httpx.Client) -> None:
    with line(service) as one:
        one.send(request("GET", "/health/live", "Connection: close, Upgrade", "Upgrade: h2c"))
        assert one.answer().headers["connection"] == "close"
        assert one.end() == b""


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "not_implemented"),
        (b"CONNECT /embed HTTP/1.1\r\nHost: x\r\n\r\n", 501, "not_implemented"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "unsupported_version"),
    ],
    ids=["CONNECT", "CONNECT with a path", "HTTP/2"],
)
def test_what_is_no_request_ends_the_connection(
    kept: httpx.Client, sent: bytes, status: int, code: str
) -> None:
    with line(kept) as one:
        one.send(sent + EVIL)
        answer = one.answer()
        assert (answer.status, answer.code) == (status, code)
        assert one.end() == b""
    assert kept.get("/collections/kept").status_code == 200
