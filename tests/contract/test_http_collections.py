"""Collections over HTTP: made, listed, deleted, copied, guarded; and they stay."""

import hashlib
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from models.bundle import MODEL
from models.store import Store
from service.http.responses.collections import CollectionDetail, CollectionList, Snapshot
from tests.support.bundles import picture
from tests.support.collecting import coded, item, made, put
from tests.support.serving import ready


def test_a_collection_is_of_the_model_that_is_named(
    service: httpx.Client, tiny_registry: Path
) -> None:
    answer = service.put("/collections/named", json={"loss": "softmax", "index": "hnsw"})
    manifest = Store(tiny_registry).load("softmax").manifest
    body = CollectionDetail.model_validate(answer.json())
    assert answer.status_code == 201
    assert (body.name, body.loss, body.version, body.metric) == ("named", "softmax", 1, "l2")
    assert (body.dimension, body.index, body.keep_images) == (4, "hnsw", True)
    assert body.model_sha256 == manifest.files[MODEL].sha256
    assert (body.items, body.sequence) == (0, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", body.created)
    assert service.get("/collections/named").json() == answer.json()


def test_without_a_body_it_is_of_the_default_model(service: httpx.Client) -> None:
    body = service.put("/collections/defaults").json()
    assert (body["loss"], body["version"], body["metric"]) == ("arcface", 2, "cosine")
    assert (body["index"], body["index_in_use"]) == ("auto", "exact")


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
        body = CollectionList.model_validate(client.get("/collections").json())
        assert [one.name for one in body.collections] == ["good"]
        assert [(one.name, one.code) for one in body.unavailable] == [
            ("torn", "collection_damaged")
        ]
        answer = client.post("/neighbors?collection=torn", json={"ids": ["a"]})
        assert (answer.status_code, answer.json()["code"]) == (409, "collection_damaged")
        assert client.delete("/collections/torn").status_code == 204
        assert client.put("/collections/torn").status_code == 201


def test_a_snapshot_holds_the_items_and_says_how_to_restore_them(service: httpx.Client) -> None:
    address = made(service, "copied")
    put(service, address, *[item(f"{i}", i + 1, 0, 0, 0) for i in range(5)])
    body = Snapshot.model_validate(service.post(f"{address}/snapshot").json())
    data = Path(body.file).read_bytes()
    assert (body.items, body.sequence, body.size_bytes) == (5, 5, len(data))
    assert body.sha256 == hashlib.sha256(data).hexdigest()
    assert body.restore == f"python -m service restore {body.file} --collection copied"
    with closing(sqlite3.connect(f"file:{body.file}?mode=ro", uri=True)) as copy:
        assert copy.execute("SELECT count(*) FROM items").fetchone() == (5,)


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


def test_the_key_guards_collections_too(tiny_registry: Path) -> None:
    with ready(tiny_registry, api_key="hush") as client:
        for method, path in (
            ("PUT", "/collections/a"), ("GET", "/collections"), ("DELETE", "/collections/a"),
            ("POST", "/collections/a/items"), ("GET", "/collections/a/thumbnails/x"),
        ):  # fmt: skip
            assert client.request(method, path).status_code == 401
        assert client.put("/collections/a", headers={"Authorization": "Bearer hush"}).is_success
