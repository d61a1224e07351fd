"""Collections over HTTP: made, filled, listed, shown, deleted, copied; and they stay."""

import base64
import hashlib
import io
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.bundle import MODEL
from models.store import Store
from service.batcher import Batcher
from service.collections import Collection, Hit, Search
from service.errors import (
    CollectionBusy,
    CollectionDamaged,
    IndexUnavailable,
    Overloaded,
    ServiceError,
    StorageFull,
)
from service.http.collections import (
    CollectionDetail,
    CollectionList,
    ItemDetail,
    ItemPage,
    ItemsReceipt,
    Snapshot,
)
from service.index.protocol import Vectors
from tests.bundles import picture
from tests.serving import PATIENCE_S, ready


@pytest.fixture(scope="module")
def service(
    tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with ready(tiny_registry, data_dir=tmp_path_factory.mktemp("data")) as client:
        yield client


def made(client: httpx.Client, name: str, **asked: Any) -> str:
    """The address of a new collection."""
    answer = client.put(f"/collections/{name}", json=asked)
    assert answer.status_code == 201, answer.text
    return f"/collections/{name}"


def put(client: httpx.Client, address: str, *items: dict[str, Any]) -> ItemsReceipt:
    answer = client.post(f"{address}/items", json={"items": items})
    assert answer.status_code == 200, answer.text
    return ItemsReceipt.model_validate(answer.json())


def item(name: str, *numbers: float, **rest: Any) -> dict[str, Any]:
    return {"id": name, "vector": list(numbers), **rest}


def coded(image: bytes) -> str:
    return base64.b64encode(image).decode()


def test_a_collection_is_of_the_model_that_is_named(
    service: httpx.Client, tiny_registry: Path
) -> None:
    answer = service.put("/collections/named", json={"loss": "softmax", "index": "hnsw"})
    manifest = Store(tiny_registry).load("softmax").manifest
    told = CollectionDetail.model_validate(answer.json())
    assert answer.status_code == 201
    assert (told.name, told.loss, told.version, told.metric) == ("named", "softmax", 1, "l2")
    assert (told.dimension, told.index, told.keep_images) == (4, "hnsw", True)
    assert told.model_sha256 == manifest.files[MODEL].sha256
    assert (told.items, told.sequence) == (0, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", told.created)
    assert service.get("/collections/named").json() == answer.json()


def test_without_a_body_it_is_of_the_default_model(service: httpx.Client) -> None:
    told = service.put("/collections/defaults").json()
    assert (told["loss"], told["version"], told["metric"]) == ("arcface", 2, "cosine")
    assert (told["index"], told["index_in_use"]) == ("auto", "exact")


def test_to_make_it_again_changes_nothing(service: httpx.Client) -> None:
    address = made(service, "again", loss="arcface", version=1, metric="l2")
    put(service, address, item("a", 1, 2, 3, 4))
    for same in ({}, {"loss": "arcface"}, {"version": 1, "metric": "l2"}, {"keep_images": True}):
        answer = service.put(address, json=same)
        assert (answer.status_code, answer.json()["items"]) == (200, 1)


def test_to_make_it_otherwise_is_refused(service: httpx.Client) -> None:
    address = made(service, "otherwise", loss="arcface", version=1)
    asked = {
        "loss": "softmax",
        "version": 2,
        "metric": "l2",
        "index": "exact",
        "keep_images": False,
    }
    for name, value in asked.items():
        answer = service.put(address, json={name: value})
        assert (answer.status_code, answer.json()["code"]) == (409, "collection_differs")
        assert [one.split()[0] for one in answer.json()["differences"]] == [name]
    assert service.get(address).json()["version"] == 1


def test_who_makes_it_at_the_same_time_finds_one(service: httpx.Client) -> None:
    def make(_: int) -> tuple[int, str]:
        answer = service.put("/collections/at-once", json={})
        return answer.status_code, answer.json()["created"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(make, range(8)))
    assert sorted(status for status, _ in answers) == [200] * 7 + [201]
    assert len({created for _, created in answers}) == 1


def test_all_are_listed_and_a_deleted_one_is_gone(service: httpx.Client) -> None:
    addresses = [made(service, name) for name in ("listed-b", "listed-a")]
    listed = CollectionList.model_validate(service.get("/collections").json())
    names = [one.name for one in listed.collections]
    assert names == sorted(names)
    assert {"listed-a", "listed-b"} <= set(names)
    put(service, addresses[0], item("x", 1, 0, 0, 0))
    assert service.delete(addresses[0]).status_code == 204
    for answer in (
        service.get(addresses[0]),
        service.delete(addresses[0]),
        service.get(f"{addresses[0]}/items"),
        service.post(f"{addresses[0]}/items", json={"items": [item("x", 1, 0, 0, 0)]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
        assert "listed-a" in answer.json()["available"]
    assert made(service, "listed-b") == addresses[0]
    assert service.get(addresses[0]).json()["items"] == 0


def test_a_damaged_one_hides_no_other(tiny_registry: Path, tmp_path: Path) -> None:
    with ready(tiny_registry, data_dir=tmp_path) as client:
        for name in ("good", "torn"):
            put(client, made(client, name), item("a", 1, 2, 3, 4))
    (tmp_path / "collections" / "torn" / "items.sqlite").write_bytes(b"no database" * 1000)
    with ready(tiny_registry, data_dir=tmp_path) as client:
        told = CollectionList.model_validate(client.get("/collections").json())
        assert [one.name for one in told.collections] == ["good"]
        assert [(one.name, one.code) for one in told.unavailable] == [
            ("torn", "collection_damaged")
        ]
        answer = client.post("/neighbors?collection=torn", json={"ids": ["a"]})
        assert (answer.status_code, answer.json()["code"]) == (409, "collection_damaged")
        assert client.delete("/collections/torn").status_code == 204
        assert client.put("/collections/torn").status_code == 201


def test_vectors_are_put_as_numbers_or_base64(service: httpx.Client) -> None:
    address = made(service, "vectors", loss="softmax")
    numbers = np.array([0.1, -2, 3e-5, 4], np.float32)
    receipt = put(
        service,
        address,
        {"id": "numbers", "vector": numbers.tolist(), "label": "cat"},
        {"id": "base64", "vector": coded(numbers.astype("<f4").tobytes()), "metadata": {"n": 1}},
        {"vector": [1, 2, 3, 4]},
    )
    assert receipt.sequence == 3
    assert [one.replaced for one in receipt.items] == [False] * 3
    for name in ("numbers", "base64"):
        shown = ItemDetail.model_validate(service.get(f"{address}/items/{name}?vector=true").json())
        np.testing.assert_array_equal(np.array(shown.vector, np.float32), numbers)
    assert service.get(f"{address}/items/{receipt.items[2].id}").json() == {
        "id": receipt.items[2].id,
        "label": None,
        "metadata": {},
        "thumbnail": None,
        "image": None,
        "vector": None,
    }


def test_with_cosine_vectors_are_kept_at_unit_length(service: httpx.Client) -> None:
    address = made(service, "unit", loss="softmax", metric="cosine")
    put(service, address, item("a", 3, 0, 0, 4))
    vector = service.get(f"{address}/items/a?vector=true").json()["vector"]
    np.testing.assert_allclose(vector, [0.6, 0, 0, 0.8], atol=1e-7)


def test_an_item_of_the_same_id_is_replaced(service: httpx.Client) -> None:
    address = made(service, "replacing")
    image = {"id": "a", "image": coded(picture(1)), "label": "cat", "metadata": {"year": 2020}}
    assert not put(service, address, image).items[0].replaced
    receipt = put(service, address, item("a", 0, 1, 0, 0, metadata={"year": 2021}))
    assert receipt.items[0].replaced
    shown = service.get(f"{address}/items/a").json()
    assert (shown["label"], shown["metadata"], shown["image"]) == (None, {"year": 2021}, None)
    assert service.get(f"{address}/thumbnails/a").json()["code"] == "unknown_image"
    assert service.get(address).json()["items"] == 1


@pytest.mark.parametrize("how", ["raw", "files", "json"])
def test_images_are_embedded_by_the_collections_model(service: httpx.Client, how: str) -> None:
    address = made(service, f"images-{how}", loss="arcface", version=1)
    image = picture(5)
    forms: dict[str, dict[str, Any]] = {
        "raw": {"content": image, "headers": {"Content-Type": "image/png"}},
        "files": {"files": [("a", ("a.png", image)), ("b", ("b.png", image))]},
        "json": {"json": {"items": [{"image": "data:image/png;base64," + coded(image)}]}},
    }
    answer = service.post(f"{address}/items", **forms[how])
    receipt = ItemsReceipt.model_validate(answer.json())
    assert "inference" in answer.headers["server-timing"]
    own = service.post("/embed?version=1", **forms["raw"]).json()["embeddings"][0]
    for one in receipt.items:
        shown = service.get(f"{address}/items/{one.id}?vector=true").json()
        np.testing.assert_allclose(shown["vector"], own, atol=1e-6)


def test_a_raw_image_takes_its_id_label_and_metadata_from_the_address(
    service: httpx.Client,
) -> None:
    address = made(service, "raw")
    params = {"id": "a b/ü?#%.png", "label": "Katze", "metadata": '{"jahr": 2020, "ok": true}'}
    headers = {"Content-Type": "image/png"}
    answer = service.post(f"{address}/items", params=params, content=picture(1), headers=headers)
    assert answer.json()["items"] == [{"id": "a b/ü?#%.png", "replaced": False}]
    shown = service.get(f"{address}/items").json()["items"][0]
    assert (shown["id"], shown["label"]) == (params["id"], "Katze")
    assert shown["metadata"] == {"jahr": 2020, "ok": True}
    assert service.get(shown["thumbnail"]).status_code == 200
    one = service.get(f"{address}/items/a%20b/%C3%BC%3F%23%25.png").json()
    assert one == {**shown, "vector": None}


def test_images_and_vectors_may_be_mixed_in_any_order(service: httpx.Client) -> None:
    address = made(service, "mixed")
    images = [picture(seed) for seed in range(3)]
    given = [
        {"id": "0", "image": coded(images[0])},
        item("v", 0, 0, 1, 0),
        {"id": "1", "image": coded(images[1])},
        {"id": "2", "image": coded(images[2])},
    ]
    put(service, address, *given)
    files = [("a", (f"{i}.png", image)) for i, image in enumerate(images)]
    embeddings = service.post("/embed", files=files).json()["embeddings"]
    for i, embedding in enumerate(embeddings):
        vector = service.get(f"{address}/items/{i}?vector=true").json()["vector"]
        np.testing.assert_allclose(vector, embedding, atol=1e-6)


def test_an_image_has_a_thumbnail_and_is_kept_where_that_is_wanted(service: httpx.Client) -> None:
    image = picture(3, (400, 200))
    for keep in (True, False):
        address = made(service, f"keep-{keep}".lower(), keep_images=keep)
        put(service, address, {"id": "x", "image": coded(image)})
        shown = service.get(f"{address}/items/x").json()
        small = service.get(shown["thumbnail"])
        with Image.open(io.BytesIO(small.content)) as opened:
            assert (opened.format, opened.size) == ("JPEG", (96, 48))
        assert small.headers["content-type"] == "image/jpeg"
        if keep:
            original = service.get(shown["image"])
            assert original.content == image
            assert original.headers["content-type"] == "image/png"
            assert original.headers["x-content-type-options"] == "nosniff"
        else:
            assert shown["image"] is None
            assert service.get(f"{address}/images/x").json()["code"] == "unknown_image"


def test_a_thumbnail_is_sent_once_until_it_changes(service: httpx.Client) -> None:
    address = made(service, "cached")
    put(service, address, {"id": "x", "image": coded(picture(3))})
    first = service.get(f"{address}/thumbnails/x")
    known = {"If-None-Match": first.headers["etag"]}
    second = service.get(f"{address}/thumbnails/x", headers=known)
    assert (second.status_code, second.content) == (304, b"")
    put(service, address, {"id": "x", "image": coded(picture(4))})
    third = service.get(f"{address}/thumbnails/x", headers=known)
    assert third.status_code == 200
    assert third.content != first.content


def test_items_come_in_pages_in_the_order_in_which_they_were_put(service: httpx.Client) -> None:
    address = made(service, "pages")
    put(service, address, *[item(f"{i}", i + 1, 0, 0, 0) for i in range(7)])
    put(service, address, item("2", 1, 1, 1, 1))
    service.delete(f"{address}/items/4")
    found, after, pages = list[str](), 0, 0
    while True:
        params = {"after": after, "limit": 2}
        page = ItemPage.model_validate(service.get(f"{address}/items", params=params).json())
        found += [one.id for one in page.items]
        pages += 1
        if page.next is None:
            break
        after = page.next
    assert found == ["0", "1", "3", "5", "6", "2"]
    assert pages == 3
    assert len(service.get(f"{address}/items").json()["items"]) == 6


def test_a_deleted_item_is_gone(service: httpx.Client) -> None:
    address = made(service, "deleting")
    put(service, address, item("a/b", 1, 0, 0, 0), item("c", 1, 0, 0, 0))
    answer = service.delete(f"{address}/items/a/b")
    assert answer.json() == {"collection": "deleting", "id": "a/b", "sequence": 3}
    for gone in (service.get(f"{address}/items/a/b"), service.delete(f"{address}/items/a/b")):
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_item")
        assert (gone.json()["collection"], gone.json()["id"]) == ("deleting", "a/b")
    assert service.get(address).json()["items"] == 1


def test_a_snapshot_holds_the_items_and_says_how_to_restore_them(service: httpx.Client) -> None:
    address = made(service, "copied")
    put(service, address, *[item(f"{i}", i + 1, 0, 0, 0) for i in range(5)])
    told = Snapshot.model_validate(service.post(f"{address}/snapshot").json())
    data = Path(told.file).read_bytes()
    assert (told.items, told.sequence, told.size_bytes) == (5, 5, len(data))
    assert told.sha256 == hashlib.sha256(data).hexdigest()
    assert told.restore == f"python -m service restore {told.file} --collection copied"
    with closing(sqlite3.connect(f"file:{told.file}?mode=ro", uri=True)) as copy:
        assert copy.execute("SELECT count(*) FROM items").fetchone() == (5,)


def test_vectors_that_say_their_model_are_taken_where_it_fits(
    service: httpx.Client, tiny_registry: Path
) -> None:
    address = made(service, "told", loss="arcface", version=1)
    body: dict[str, Any] = {"items": [item("a", 1, 0, 0, 0)]}
    for version, status in ((1, 200), (2, 409)):
        sha256 = Store(tiny_registry).load("arcface", version).manifest.files[MODEL].sha256
        answer = service.post(f"{address}/items", json={**body, "model_sha256": sha256})
        assert answer.status_code == status
    assert answer.json()["code"] == "model_mismatch"
    assert "python -m service reembed told" in answer.json()["detail"]


def test_metrics_count_items_and_searches(service: httpx.Client) -> None:
    def value(name: str) -> float:
        lines = service.get("/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    names = [
        "lossatlas_collection_items_put_total",
        "lossatlas_collection_items_deleted_total",
        "lossatlas_collection_put_seconds_count",
        "lossatlas_collection_search_seconds_count",
    ]
    before = [value(name) for name in names]
    address = made(service, "counted")
    put(service, address, item("a", 1, 0, 0, 0), item("b", 1, 0, 0, 0))
    service.delete(f"{address}/items/a")
    service.post("/neighbors?collection=counted", json={"ids": ["b"]})
    assert [value(name) for name in names] == [
        n + m for n, m in zip(before, (2, 1, 1, 1), strict=True)
    ]


def test_a_restart_keeps_everything(tiny_registry: Path, tmp_path: Path) -> None:
    image = {"id": "i", "image": coded(picture(1)), "label": "cat", "metadata": {"n": 1}}
    question: dict[str, Any] = {"json": {"vectors": [[1, 2, 3, 4]]}}
    with ready(tiny_registry, data_dir=tmp_path) as client:
        address = made(client, "kept")
        put(client, address, image, *[item(f"{i}", i, 1, 2, 3) for i in range(50)])
        client.delete(f"{address}/items/7")
        before = [
            client.get(f"{address}/items").json(),
            client.post("/neighbors?collection=kept&k=60", **question).json(),
            client.get(f"{address}/thumbnails/i").content,
        ]
    with ready(tiny_registry, data_dir=tmp_path) as client:
        assert [
            client.get(f"{address}/items").json(),
            client.post("/neighbors?collection=kept&k=60", **question).json(),
            client.get(f"{address}/thumbnails/i").content,
        ] == before


def test_nothing_is_written_before_a_collection_is_made(
    tiny_registry: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    with ready(tiny_registry, data_dir=folder) as client:
        assert client.get("/collections").json() == {"collections": [], "unavailable": []}
        assert client.get("/collections/none").status_code == 404
        assert client.post("/neighbors", files=[("a", picture(0))]).status_code == 200
        assert not folder.exists()
        made(client, "first")
        assert folder.is_dir()


def test_what_takes_too_long_is_given_up_and_the_next_request_is_not(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, search = Event(), Collection.search

    def wait(self: Collection, queries: Vectors, query: Search) -> list[list[Hit]]:
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
    def refuse(_: Batcher, items: int = 1) -> None:
        raise Overloaded(4)

    image: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}
    with ready(tiny_registry) as client:
        address = made(client, "full")
        monkeypatch.setattr(Batcher, "check_room", refuse)
        monkeypatch.setattr(Batcher, "full", property(lambda _: True))
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


def test_the_key_guards_collections_too(tiny_registry: Path) -> None:
    with ready(tiny_registry, api_key="hush") as client:
        for method, path in (
            ("PUT", "/collections/a"), ("GET", "/collections"), ("DELETE", "/collections/a"),
            ("POST", "/collections/a/items"), ("GET", "/collections/a/thumbnails/x"),
        ):  # fmt: skip
            assert client.request(method, path).status_code == 401
        assert client.put("/collections/a", headers={"Authorization": "Bearer hush"}).is_success
