"""Failures below a collection, and delays: answered with their status."""

from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from service.collections import Collection, SearchHit
from service.collections.errors import CollectionBusy, CollectionDamaged, StorageFull
from service.errors import IndexUnavailable, Overloaded, ServiceError
from service.inference.capacity import Capacity
from service.vectors.protocol import Vectors
from service.vectors.query import Search
from tests.support.bundles import picture
from tests.support.collecting import item, made, put
from tests.support.serving import PATIENCE_S, ready


def test_what_takes_too_long_is_given_up_and_the_next_request_is_not(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, search = Event(), Collection.search

    def wait(self: Collection, queries: Vectors, query: Search) -> list[list[SearchHit]]:
        assert go_on.wait(PATIENCE_S)
        return search(self, queries, query)

    monkeypatch.setattr(Collection, "search", wait)
    question = {"vectors": [[1, 2, 3, 4]]}
    with ready(tiny_registry, deadline_s=0.3) as client:
        put(client, made(client, "slow"), item("a", 1, 2, 3, 4))
        late = client.post("/neighbors?collection=slow", json=question)
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
        assert 'dropped_requests_total{reason="deadline"} 1.0' in client.get("/metrics").text
        go_on.set()
        assert client.post("/neighbors?collection=slow", json=question).status_code == 200


def test_where_the_model_has_no_room_vectors_are_taken_all_the_same(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Capacity) -> None:
        raise Overloaded(4)

    image: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}
    with ready(tiny_registry) as client:
        address = made(client, "full")
        monkeypatch.setattr(Capacity, "reserve", refuse)
        for path in (f"{address}/items", "/neighbors?collection=full"):
            answer = client.post(path, **image)
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert answer.headers["retry-after"] == "1"
        put(client, address, item("a", 1, 2, 3, 4))
        question = {"vectors": [[1, 2, 3, 4]]}
        assert client.post("/neighbors?collection=full", json=question).status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StorageFull("troubled"), 507, "storage_full"),
        (CollectionBusy("troubled"), 503, "collection_busy"),
        (IndexUnavailable("no route to host"), 503, "index_unavailable"),
        (CollectionDamaged("troubled", "not a database"), 409, "collection_damaged"),
    ],
)
def test_what_goes_wrong_below_has_its_status(
    service: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    error: ServiceError,
    status: int,
    code: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    service.put("/collections/troubled")
    for name in ("put", "search"):
        monkeypatch.setattr(Collection, name, fail)
    body = {"items": [item("a", 1, 2, 3, 4)]}
    for answer in (
        service.post("/collections/troubled/items", json=body),
        service.post("/neighbors?collection=troubled", json={"vectors": [[1, 2, 3, 4]]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert ("retry-after" in answer.headers) == (status == 503)
