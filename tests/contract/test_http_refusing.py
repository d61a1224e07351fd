"""Refusals of an overloaded service: behind the key, before the body, and not in the latencies."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.batcher import Batcher
from service.errors import Overloaded
from tests.bundles import picture
from tests.serving import ready
from tests.wires import line, request

IMAGE = picture(0)
HEADERS = {"Content-Type": "image/png"}
ADDRESSES = ("/embed", "/embed?loss=softmax", "/classify", "/compare", "/neighbors")


@pytest.fixture
def client(tiny_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A service with a key whose queues have no room; its client has the key."""

    def refuse(_: Batcher, items: int = 1) -> None:
        raise Overloaded(4)

    with ready(tiny_registry, api_key="hush") as found:
        found.headers["Authorization"] = "Bearer hush"
        found.post("/embed", content=IMAGE, headers=HEADERS).raise_for_status()
        monkeypatch.setattr(Batcher, "check_room", refuse)
        yield found


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_refusal_says_when_to_ask_again(client: httpx.Client, address: str) -> None:
    for _ in range(3):
        answer = client.post(address, content=IMAGE, headers=HEADERS)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("address", ADDRESSES)
def test_it_comes_before_the_body(client: httpx.Client, address: str) -> None:
    head = request(
        "POST", address, "Content-Type: image/png", "Authorization: Bearer hush",
        "Content-Length: 1000",
    )  # fmt: skip
    with line(client) as one:
        one.send(head)
        assert one.answer().code == "overloaded"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_stranger_learns_nothing_of_it(client: httpx.Client, address: str) -> None:
    refused = client.post(address, content=IMAGE, headers=HEADERS)
    assert refused.status_code == 503
    for key in ({}, {"Authorization": "Bearer other"}):
        answer = httpx.post(client.base_url.join(address), content=IMAGE, headers=HEADERS | key)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_it_is_counted_and_has_no_latency(client: httpx.Client) -> None:
    for _ in range(3):
        client.post("/embed", content=IMAGE, headers=HEADERS)
    lines = client.get("/metrics").text.splitlines()
    assert 'lossatlas_requests_total{method="POST",route="/embed",status="503"} 3.0' in lines
    assert 'lossatlas_dropped_requests_total{reason="overloaded"} 3.0' in lines
    assert 'lossatlas_request_seconds_count{route="/embed"} 1.0' in lines


def test_other_requests_are_answered(client: httpx.Client) -> None:
    assert client.get("/health/live").status_code == 200
    assert client.get("/models").status_code == 200
    answer = client.post("/embed?loss=none", content=IMAGE, headers=HEADERS)
    assert answer.status_code == 404
