"""Refusals of an overloaded service: behind the key, before the body, and not in the latencies."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service.inference.session import Session
from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S, ready
from tests.support.wires import line, request

IMAGE = picture(0)
HEADERS = {"Content-Type": "image/png"}
ADDRESSES = ("/embed", "/embed?loss=softmax", "/classify", "/compare", "/neighbors")
MODELS = ("arcface", "softmax")


@pytest.fixture
def client(tiny_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A service with a key whose queues are full; its client has the key."""
    opened = threading.Event()
    opened.set()
    run = Session.run

    def wait(self: Session, images: object) -> object:
        opened.wait(PATIENCE_S)
        return run(self, images)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(Session, "run", wait)
    with (
        ThreadPoolExecutor(len(MODELS)) as pool,
        ready(tiny_registry, api_key="hush", queue_items=1, max_images=1) as found,
    ):
        found.headers["Authorization"] = "Bearer hush"
        opened.clear()
        filling = [pool.submit(embed, found, f"/embed?loss={name}") for name in MODELS]
        give_up = time.monotonic() + PATIENCE_S
        while queued(found) < len(MODELS):
            assert time.monotonic() < give_up
        try:
            yield found
        finally:
            opened.set()
            assert {one.result().status_code for one in filling} == {200}


def embed(client: httpx.Client, address: str) -> httpx.Response:
    return client.post(address, content=IMAGE, headers=HEADERS)


def queued(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("lossatlas_queue"))


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
    assert 'lossatlas_request_seconds_count{route="/embed"} 0.0' in lines


def test_other_requests_are_answered(client: httpx.Client) -> None:
    assert client.get("/health/live").status_code == 200
    assert client.get("/models").status_code == 200
    answer = client.post("/embed?loss=none", content=IMAGE, headers=HEADERS)
    assert answer.status_code == 404
