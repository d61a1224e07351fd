"""Neighbors in collections and galleries: of images, vectors and items, filtered or not."""

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from models.store import Store
from service.http.responses.schemas import NeighborsResponse
from tests.support.bundles import LABELS, picture
from tests.support.collecting import coded, made, put
from tests.support.serving import ready

N, D = 400, 4
RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(N, D)).astype(np.float32)
SPECIES = ["cat", "dog", "bird", "eel"]
Item = dict[str, Any]


def described(i: int) -> Item:
    """An item without its vector; an eel is rare, and only every third has a year."""
    species = SPECIES[3] if i % 50 == 7 else SPECIES[i % 3]
    year = {"year": 2000 + i % 30} if i % 3 == 0 else {}
    metadata: Item = {"species": species, "even": i % 2 == 0, "weight": i / 4, **year}
    return {"id": f"item/{i}", "label": f"label-{i % 5}", "metadata": metadata}


ITEMS = [described(i) for i in range(N)]


@pytest.fixture(scope="module")
def service(tiny_registry: Path) -> Iterator[httpx.Client]:
    """Two collections of the same items, one for each metric."""
    with ready(tiny_registry) as client:
        for metric in ("cosine", "l2"):
            address = made(client, metric, loss="softmax", metric=metric)
            items = [one | {"vector": v.tolist()} for one, v in zip(ITEMS, VECTORS, strict=True)]
            put(client, address, *items)
        yield client


def ask(client: httpx.Client, params: dict[str, Any], **body: Any) -> list[list[Item]]:
    answer = client.post("/neighbors", params=params, json=body)
    assert answer.status_code == 200, answer.text
    NeighborsResponse.model_validate(answer.json())
    found: list[list[Item]] = answer.json()["neighbors"]
    return found


def scores(queries: np.ndarray, metric: str) -> np.ndarray:
    if metric == "l2":
        distances: np.ndarray = -((queries[:, None] - VECTORS[None]) ** 2).sum(axis=2)
        return distances
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    cosines: np.ndarray = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ unit.T
    return cosines


def ids(found: list[Item]) -> list[str]:
    return [one["id"] for one in found]


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_vectors_find_what_is_nearest_by_brute_force(service: httpx.Client, metric: str) -> None:
    queries = RNG.normal(size=(3, D)).astype(np.float32)
    vectors = [*queries[:2].tolist(), coded(queries[2].astype("<f4").tobytes())]
    found = ask(service, {"collection": metric, "k": 9}, vectors=vectors)
    for near, row in zip(found, scores(queries, metric), strict=True):
        order = np.argsort(-row)[:9]
        assert ids(near) == [f"item/{i}" for i in order]
        np.testing.assert_allclose([one["score"] for one in near], row[order], rtol=1e-4, atol=1e-5)
        for one, i in zip(near, order, strict=True):
            assert {"id": one["id"], "label": one["label"], "metadata": one["metadata"]} == ITEMS[i]
            assert one["thumbnail"] is None


def test_images_find_what_their_embeddings_find(service: httpx.Client) -> None:
    images = [picture(seed) for seed in range(3)]
    files = [("a", (f"{i}.png", image)) for i, image in enumerate(images)]
    vectors = service.post("/embed?loss=softmax", files=files).json()["embeddings"]
    expected = ask(service, {"collection": "l2"}, vectors=vectors)
    sent = [coded(image) for image in images]
    assert ask(service, {"collection": "l2"}, images=sent) == expected
    by_files = service.post("/neighbors?collection=l2", files=files)
    assert by_files.json()["neighbors"] == expected
    assert "inference" in by_files.headers["server-timing"]
    headers = {"Content-Type": "image/png"}
    raw = service.post("/neighbors?collection=l2", content=images[0], headers=headers)
    assert raw.json() == {
        "loss": "softmax",
        "version": 1,
        "precision": "float32",
        "collection": "l2",
        "neighbors": expected[:1],
    }


def test_an_item_finds_its_neighbors_and_not_itself(service: httpx.Client) -> None:
    found = ask(service, {"collection": "l2", "k": 5}, ids=["item/3", "item/9", "item/3"])
    row = scores(VECTORS[[3, 9]], "l2")
    for near, which, of in zip(found, (3, 9, 3), (0, 1, 0), strict=True):
        order = [i for i in np.argsort(-row[of]) if i != which][:5]
        assert ids(near) == [f"item/{i}" for i in order]


FILTERS: dict[str, tuple[Item, Callable[[Item], bool]]] = {
    "equal": ({"species": "cat"}, lambda m: m["species"] == "cat"),
    "rare": ({"species": "eel"}, lambda m: m["species"] == "eel"),
    "truth": ({"even": True}, lambda m: bool(m["even"])),
    "in": ({"species": {"in": ["eel", "dog"]}}, lambda m: m["species"] in ("eel", "dog")),
    "range": ({"year": {"gte": 2005, "lt": 2012}}, lambda m: 2005 <= m.get("year", 0) < 2012),
    "open": ({"weight": {"gt": 90.25}}, lambda m: m["weight"] > 90.25),
    "label": ({"label": "label-2"}, lambda m: m["label"] == "label-2"),
    "several": (
        {"species": "cat", "year": {"lte": 2015}, "label": {"in": ["label-0", "label-1"]}},
        lambda m: (
            m["species"] == "cat"
            and m.get("year", 9999) <= 2015
            and m["label"] in ("label-0", "label-1")
        ),
    ),
    "nothing meets it": ({"species": "unicorn"}, lambda m: False),
}


@pytest.mark.parametrize("where", ["address", "body"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_gives_the_nearest_that_meet_it_and_never_too_few(
    service: httpx.Client, name: str, where: str
) -> None:
    asked, meets = FILTERS[name]
    matching = [
        i for i, one in enumerate(ITEMS) if meets({**one["metadata"], "label": one["label"]})
    ]
    query = RNG.normal(size=(1, D)).astype(np.float32)
    for k in (1, 7, 100):
        params: Item = {"collection": "cosine", "k": k}
        body: Item = {"vectors": query.tolist()}
        if where == "address":
            params["filter"] = json.dumps(asked)
        else:
            body["filter"] = asked
        (near,) = ask(service, params, **body)
        row = scores(query, "cosine")[0]
        assert ids(near) == [f"item/{i}" for i in sorted(matching, key=lambda i: -row[i])[:k]]


def test_a_score_may_be_asked_for(service: httpx.Client) -> None:
    query = VECTORS[:1]
    row = scores(query, "cosine")[0]
    params = {"collection": "cosine", "k": 100, "min_score": 0.8}
    (near,) = ask(service, params, vectors=query.tolist())
    assert {one["id"] for one in near} == {f"item/{i}" for i in np.flatnonzero(row >= 0.8)}
    assert ask(service, params | {"min_score": 1.5}, vectors=query.tolist()) == [[]]


def test_a_filter_and_a_score_go_with_ids_and_images_too(service: httpx.Client) -> None:
    params: Item = {"collection": "cosine", "k": 3, "filter": '{"species": "cat"}', "min_score": -1}
    (near,) = ask(service, params, ids=["item/0"])
    assert len(near) == 3
    assert {one["metadata"]["species"] for one in near} == {"cat"}
    answer = service.post("/neighbors", params=params, files=[("a", ("a.png", picture(1)))])
    assert {one["metadata"]["species"] for one in answer.json()["neighbors"][0]} == {"cat"}


def test_a_hit_shows_its_thumbnail(service: httpx.Client) -> None:
    service.put("/collections/shown", json={"loss": "arcface"})
    images = {f"cats/{seed} ü.png": picture(seed) for seed in range(4)}
    items = [
        {"id": name, "image": coded(image), "metadata": {"n": i}}
        for i, (name, image) in enumerate(images.items())
    ]
    service.post("/collections/shown/items", json={"items": items})
    headers = {"Content-Type": "image/png"}
    answer = service.post(
        "/neighbors?collection=shown&k=1", content=picture(2), headers=headers
    ).json()
    (hit,) = answer["neighbors"][0]
    assert (hit["id"], hit["metadata"]) == ("cats/2 ü.png", {"n": 2})
    assert hit["score"] == pytest.approx(1, abs=1e-5)
    with Image.open(io.BytesIO(service.get(hit["thumbnail"]).content)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (24, 16))


def test_a_search_sees_every_write_before_it(service: httpx.Client) -> None:
    service.put("/collections/moving", json={"loss": "softmax"})
    params = {"collection": "moving", "k": 1}
    for i in range(20):
        vector = [float(i), 1.0, 0.0, 0.0]
        item = {"id": f"{i % 4}", "vector": vector, "metadata": {"i": i}}
        service.post("/collections/moving/items", json={"items": [item]})
        ((hit,),) = ask(service, params, vectors=[vector])
        assert hit["metadata"] == {"i": i}
    service.delete("/collections/moving/items/3")
    ((hit,),) = ask(service, params, vectors=[[19.0, 1, 0, 0]])
    assert hit["id"] == "2"


def test_searches_go_on_while_items_are_put(service: httpx.Client) -> None:
    """An item that is replaced again and again is found exactly once, always."""
    service.put("/collections/busy", json={"loss": "softmax"})
    address = "/collections/busy/items"

    def write(n: int) -> None:
        items = [{"id": f"{i}", "vector": [i, n, 0, 1], "metadata": {"n": n}} for i in range(20)]
        assert service.post(address, json={"items": items}).status_code == 200

    def write_on() -> None:
        for n in range(1, 25):
            write(n)

    write(0)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_on)
        while not writing.done():
            (near,) = ask(service, {"collection": "busy", "k": 100}, vectors=[[1, 2, 3, 4]])
            assert sorted(ids(near)) == sorted(f"{i}" for i in range(20))
            assert len({one["metadata"]["n"] for one in near}) == 1
        writing.result()


def test_a_gallery_takes_vectors_and_ids_too(service: httpx.Client, tiny_registry: Path) -> None:
    gallery = Store(tiny_registry).load("softmax").gallery()
    query = gallery.embeddings[4]
    order = np.argsort(((gallery.embeddings - query) ** 2).sum(axis=1))
    params = {"loss": "softmax", "k": 6}
    (near,) = ask(service, params, vectors=[query.tolist()])
    assert ids(near) == [gallery.ids[i] for i in order[:6]]
    assert {json.dumps(one["metadata"]) for one in near} == {"{}"}
    (others,) = ask(service, params, ids=[gallery.ids[4]])
    assert ids(others) == [gallery.ids[i] for i in order[1:7]]


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ({"label": LABELS[3]}, {LABELS[3]}),
        ({"label": {"in": [LABELS[1], LABELS[8], "unicorn", 7]}}, {LABELS[1], LABELS[8]}),
        ({"label": {"gte": "dog", "lt": "horse"}}, {"dog", "frog"} & set(LABELS)),
        ({"label": {"gt": 3}}, set()),
        ({"label": None}, set()),
        ({}, set(LABELS)),
    ],
)
def test_a_gallery_is_filtered_by_label(
    service: httpx.Client, tiny_registry: Path, asked: Item, labels: set[str]
) -> None:
    gallery = Store(tiny_registry).load("arcface").gallery()
    own = [i for i, label in enumerate(gallery.labels) if LABELS[label] in labels]
    query = gallery.embeddings[0]
    (near,) = ask(service, {"k": 100}, vectors=[query.tolist()], filter=asked)
    expected = sorted(own, key=lambda i: -float(gallery.embeddings[i] @ query))
    assert set(ids(near)) == {gallery.ids[i] for i in expected}
    assert [one["score"] for one in near] == sorted((one["score"] for one in near), reverse=True)


def test_a_gallery_knows_a_least_score(service: httpx.Client) -> None:
    files = [("a", ("a.png", picture(1)))]
    everything = service.post("/neighbors?k=30", files=files).json()["neighbors"][0]
    least = everything[4]["score"]
    found = service.post("/neighbors", params={"k": 30, "min_score": least}, files=files).json()
    assert found["neighbors"][0] == everything[:5]
