"""Input that a collection refuses: each with its code, and nothing of it is stored."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.http.requests.items import MAX_ITEMS
from service.http.requests.neighbors import MAX_QUERIES
from service.http.responses.schemas import Problem
from tests.support.bundles import Recipe, picture, publish
from tests.support.collecting import coded, made, put
from tests.support.serving import ready

ITEMS = "/collections/c/items"
NEIGHBORS = "/neighbors?collection=c"
GOOD = {"id": "good", "vector": [1, 2, 3, 4]}


@pytest.fixture(scope="module")
def service(tiny_registry: Path) -> Iterator[httpx.Client]:
    """`c` is of an l2 model, `unit` of a cosine one; each holds one item."""
    limits = {"max_images": 8, "max_pixels": 10_000, "max_body_bytes": 500_000}
    with ready(tiny_registry, **limits) as client:
        for name, loss in (("c", "softmax"), ("unit", "arcface")):
            put(client, made(client, name, loss=loss), {"id": "there", "vector": [1, 0, 0, 0]})
        yield client


def items(*given: Any) -> dict[str, Any]:
    return {"json": {"items": list(given)}}


def vectors(*given: Any) -> dict[str, Any]:
    return {"json": {"vectors": list(given)}}


def raw(text: str, media: str = "application/json") -> dict[str, Any]:
    return {"content": text, "headers": {"Content-Type": media}}


def floats(*numbers: float) -> str:
    return coded(np.array(numbers, "<f4").tobytes())


def described(**metadata: Any) -> dict[str, Any]:
    return GOOD | {"metadata": metadata}


@dataclass(frozen=True)
class Bad:
    """One bad request and what must come back."""

    name: str
    status: int
    code: str
    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def bad_items(name: str, body: dict[str, Any], *indexes: int) -> Bad:
    facts = {"index": indexes[0], "indexes": list(indexes)}
    return Bad(name, 422, "invalid_items", "POST", ITEMS, body, facts)


def malformed(name: str, body: dict[str, Any], path: str = ITEMS) -> Bad:
    return Bad(name, 422, "malformed_body", "POST", path, body)


def bad_query(name: str, path: str, body: dict[str, Any], *indexes: int) -> Bad:
    facts = {"index": indexes[0], "indexes": list(indexes)}
    return Bad(name, 422, "invalid_items", "POST", path, body, facts)


def bad_filter(name: str, text: str) -> Bad:
    path = f"{NEIGHBORS}&filter={text}"
    return Bad(name, 422, "invalid_filter", "POST", path, vectors([1, 2, 3, 4]))


HUGE = picture(1, (200, 100))
TABLE = [
    bad_items("too few numbers", items({"vector": [1, 2, 3]}), 0),
    bad_items("too many numbers among good", items(GOOD, {"vector": [1, 2, 3, 4, 5]}), 1),
    bad_items("no numbers", items({"vector": []}), 0),
    bad_items("text among numbers", items({"vector": [1, "2", 3, 4]}), 0),
    bad_items("truth among numbers", items({"vector": [1, True, 3, 4]}), 0),
    bad_items("null among numbers", items({"vector": [1, None, 3, 4]}), 0),
    bad_items("lists among numbers", items({"vector": [[1], [2], [3], [4]]}), 0),
    bad_items("an object for a vector", items({"vector": {"a": 1}}), 0),
    bad_items("NaN in base64", items(GOOD, {"vector": floats(1, float("nan"), 0, 0)}), 1),
    bad_items("infinity in base64", items({"vector": floats(1, float("-inf"), 0, 0)}), 0),
    bad_items("beyond float32", items({"vector": [1e39, 0, 0, 0]}), 0),
    bad_items("vectors that are no base64", items({"vector": "!!!"}, {"vector": "ä"}), 0, 1),
    bad_items("base64 of the wrong length", items({"vector": coded(b"12345")}), 0),
    bad_items("base64 of too few", items({"vector": floats(1, 2)}), 0),
    bad_items("an id twice", items(GOOD, {"vector": [0, 0, 0, 1]}, GOOD), 2),
    bad_items("an id that is a number", items(GOOD | {"id": 7}), 0),
    bad_items("an empty id", items(GOOD | {"id": ""}), 0),
    bad_items("a long id", items(GOOD | {"id": "x" * 257}), 0),
    bad_items("an id with NUL", items(GOOD | {"id": "a\0b"}), 0),
    bad_items("an id that addresses lose", items(GOOD | {"id": "a/../b"}), 0),
    bad_items("an id with a newline", items(GOOD | {"id": "a\n"}), 0),
    bad_items("a label that is a number", items(GOOD | {"label": 1}), 0),
    bad_items("an empty label", items(GOOD | {"label": ""}), 0),
    bad_items("metadata that is a list", items(GOOD | {"metadata": [1]}), 0),
    bad_items("nested metadata", items(described(a={"b": 1})), 0),
    bad_items("a list in metadata", items(described(a=[1])), 0),
    bad_items("metadata called label", items(described(label="x")), 0),
    bad_items("a number beyond 64 bits", items(described(n=2**63)), 0),
    bad_items("many keys", items(described(**{f"k{i}": i for i in range(65)})), 0),
    bad_items("long metadata", items(described(a="x" * 4000, b="x" * 4000, c="x" * 4000,
                                               d="x" * 4000, e="x" * 4000)), 0),
    bad_items("a long text", items(described(a="x" * 5000)), 0),
    bad_items("an empty key", items(described(**{"": 1})), 0),
    bad_items("image and vector", items(GOOD | {"image": coded(picture(0))}), 0),
    bad_items("neither image nor vector", items(GOOD, {"id": "x"}), 1),
    bad_items("another member", items(GOOD | {"vektor": 1}), 0),
    bad_items("items that are no objects", items("a", GOOD, 3, None), 0, 2, 3),
    bad_items("an image that is a number", items({"image": 7}), 0),
    malformed("broken JSON", raw('{"items": [')),
    malformed("NaN in JSON", raw('{"items": [{"vector": [NaN, 1, 2, 3]}]}')),
    malformed("a lone surrogate", raw('{"items": [{"id": "\\ud800", "vector": [1, 1, 2, 3]}]}')),
    malformed("a list for a body", {"json": [GOOD]}),
    malformed("no items", items()),
    malformed("items of another type", {"json": {"items": {"a": 1}}}),
    malformed("another member of the body", {"json": {"items": [GOOD], "loss": "softmax"}}),
    malformed("a hash that is a number", {"json": {"items": [GOOD], "model_sha256": 1}}),
    Bad("too many items", 413, "too_many_items", "POST", ITEMS,
        items(*[{"vector": 1}] * (MAX_ITEMS + 1)), {"limit": MAX_ITEMS}),
    Bad("too many images", 413, "too_many_images", "POST", ITEMS,
        items(*[{"image": "x"}] * 9), {"limit": 8}),
    Bad("too large", 413, "body_too_large", "POST", ITEMS, raw("x" * 500_001), {"limit": 500_000}),
    Bad("text", 415, "unsupported_media_type", "POST", ITEMS, raw("x", "text/plain")),
    Bad("no image", 422, "no_image", "POST", ITEMS, raw("", "image/png")),
    Bad("no real images", 422, "undecodable_image", "POST", ITEMS,
        items({"image": coded(b"x")}, GOOD, {"image": coded(picture(0))}, {"image": "http://a/b"}),
        {"index": 0, "indexes": [0, 3]}),
    Bad("too many pixels", 413, "image_too_large", "POST", ITEMS,
        items(GOOD, {"image": coded(HUGE)}), {"index": 1, "indexes": [1], "limit": 10_000}),
    Bad("an id beside JSON", 422, "invalid_parameter", "POST", f"{ITEMS}?id=a", items(GOOD)),
    Bad("a label beside files", 422, "invalid_parameter", "POST", f"{ITEMS}?label=a",
        {"files": {"a": picture(0)}}),
    Bad("unknown parameter", 422, "invalid_parameter", "POST", f"{ITEMS}?idd=a", items(GOOD)),
    Bad("metadata that is no JSON", 422, "invalid_items", "POST", f"{ITEMS}?metadata=x",
        {"content": picture(0), "headers": {"Content-Type": "image/png"}}),
    Bad("items of another model", 409, "model_mismatch", "POST", ITEMS,
        {"json": {"items": [GOOD], "model_sha256": "0" * 64}}, {"collection": "c"}),
    Bad("items of nowhere", 404, "unknown_model", "POST", "/collections/none/items", items(GOOD),
        {"name": "none", "available": ["c", "unit"]}),
    Bad("a name that climbs", 404, "unknown_model", "GET", "/collections/%2e%2e"),
    Bad("a path for a name", 404, "not_found", "GET", "/collections/..%2F..%2Fetc"),

    bad_query("a query of another dimension", NEIGHBORS, vectors([1, 2, 3, 4], [1, 2]), 1),
    bad_query("a query with NaN", NEIGHBORS, vectors(floats(1, 2, 3, float("nan"))), 0),
    bad_query("a query without direction", "/neighbors?collection=unit", vectors([0, 0, 0, 0]), 0),
    bad_query("a gallery's without direction", "/neighbors", vectors([0, 0, 0, 0]), 0),
    bad_query("a gallery's of another dimension", "/neighbors", vectors([1]), 0),
    malformed("two kinds of queries", {"json": {"ids": ["there"], "vectors": [GOOD["vector"]]}},
              NEIGHBORS),
    malformed("no kind of query", {"json": {}}, NEIGHBORS),
    malformed("no vectors", vectors(), NEIGHBORS),
    malformed("no ids", {"json": {"ids": []}}, NEIGHBORS),
    malformed("ids that are numbers", {"json": {"ids": [1]}}, NEIGHBORS),
    malformed("another member of the question", {"json": {"ids": ["there"], "k": 3}}, NEIGHBORS),
    malformed("a filter that is a list", {"json": {"ids": ["there"], "filter": []}}, NEIGHBORS),
    Bad("no images to ask of", 422, "no_image", "POST", NEIGHBORS, {"json": {"images": []}}),
    Bad("an unknown item to ask of", 404, "unknown_item", "POST", NEIGHBORS,
        {"json": {"ids": ["there", "nix"]}}, {"collection": "c", "id": "nix"}),
    Bad("an unknown gallery item", 404, "unknown_item", "POST", "/neighbors",
        {"json": {"ids": ["nix"]}}, {"collection": "gallery", "id": "nix"}),
    Bad("too many queries", 413, "too_many_items", "POST", NEIGHBORS,
        {"json": {"ids": ["there"] * (MAX_QUERIES + 1)}}, {"limit": MAX_QUERIES}),
    Bad("unknown collection", 404, "unknown_model", "POST", "/neighbors?collection=nix",
        vectors([1, 2, 3, 4]), {"name": "nix", "available": ["gallery", "c", "unit"]}),
    Bad("another loss", 409, "model_mismatch", "POST", f"{NEIGHBORS}&loss=arcface",
        vectors([1, 2, 3, 4]), {"collection": "c"}),
    Bad("another version", 409, "model_mismatch", "POST", f"{NEIGHBORS}&version=2",
        vectors([1, 2, 3, 4])),
    Bad("version 0", 409, "model_mismatch", "POST", f"{NEIGHBORS}&version=0",
        vectors([1, 2, 3, 4])),
    Bad("vectors of another model", 409, "model_mismatch", "POST", NEIGHBORS,
        {"json": {"vectors": [[1, 2, 3, 4]], "model_sha256": "1" * 64}}),
    bad_filter("a filter that is no JSON", "x"),
    bad_filter("a filter that is text", '"cat"'),
    bad_filter("an unknown operator", '{"year": {"above": 3}}'),
    bad_filter("no operator", '{"year": {}}'),
    bad_filter("a range over truth", '{"year": {"gt": true}}'),
    bad_filter("a list without in", '{"year": [1]}'),
    Bad("a gallery has no metadata", 422, "invalid_filter", "POST",
        '/neighbors?filter={"species": "cat"}', vectors([1, 2, 3, 4])),
    Bad("two filters", 422, "invalid_parameter", "POST", f'{NEIGHBORS}&filter={{"a": 1}}',
        {"json": {"ids": ["there"], "filter": {"a": 1}}}),
    *[
        Bad(f"a {name} of {value}", 422, "invalid_parameter", "POST",
            f"{NEIGHBORS}&{name}={value}", vectors([1, 2, 3, 4]))
        for name, value in [("k", "0"), ("k", "1000000"), ("k", "-1"), ("min_score", "nan"),
                            ("min_score", "inf"), ("min_score", "x"), ("minscore", "0")]
    ],

    *[
        Bad(f"a collection called {name}", 422, "invalid_collection_name", "PUT",
            f"/collections/{name}")
        for name in ("A", "gallery", "a b", "-a", "a.b", "x" * 65, "%00", "%2e%2e")
    ],
    Bad("a collection of no model", 404, "unknown_model", "PUT", "/collections/n",
        {"json": {"loss": "nix"}}, {"name": "nix", "available": ["arcface", "softmax"]}),
    Bad("a collection of no version", 404, "unknown_model", "PUT", "/collections/n",
        {"json": {"version": 9}}),
    *[
        Bad(f"a collection with {body}", 422, "malformed_body", "PUT", "/collections/n",
            {"json": body})
        for body in ({"metric": "dot"}, {"index": "ivf"}, {"version": 0}, {"keep": True}, [1])
    ],
    Bad("a collection in the address", 422, "invalid_parameter", "PUT",
        "/collections/n?loss=softmax"),
    Bad("a collection as text", 415, "unsupported_media_type", "PUT", "/collections/n",
        raw("{}", "text/plain")),
    Bad("a page of nothing", 422, "invalid_parameter", "GET", f"{ITEMS}?limit=0"),
    Bad("a long page", 422, "invalid_parameter", "GET", f"{ITEMS}?limit=1001"),
    Bad("a page before the first", 422, "invalid_parameter", "GET", f"{ITEMS}?after=-1"),
    Bad("a page beyond all numbers", 422, "invalid_parameter", "GET", f"{ITEMS}?after={2**63}"),
    Bad("an unknown item", 404, "unknown_item", "GET", f"{ITEMS}/nix"),
    Bad("an item without a name", 404, "unknown_item", "GET", f"{ITEMS}/"),
    Bad("an unknown item's thumbnail", 404, "unknown_item", "GET", "/collections/c/thumbnails/nix"),
    Bad("a vector's thumbnail", 404, "unknown_image", "GET", "/collections/c/thumbnails/there",
        {}, {"collection": "c", "id": "there"}),
    Bad("a vector's image", 404, "unknown_image", "GET", "/collections/c/images/there"),
    Bad("a snapshot of nothing", 404, "unknown_model", "POST", "/collections/nix/snapshot"),
    Bad("a method", 405, "method_not_allowed", "PATCH", "/collections/c"),
]  # fmt: skip


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_bad_input_is_refused_with_its_code_and_changes_nothing(
    service: httpx.Client, bad: Bad
) -> None:
    answer = service.request(bad.method, bad.path, **bad.body)
    problem = Problem.model_validate(answer.json())
    assert (answer.status_code, problem.status, problem.code) == (bad.status, bad.status, bad.code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().items() >= bad.facts.items()
    names = [one["name"] for one in service.get("/collections").json()["collections"]]
    assert names == ["c", "unit"]
    left = service.get("/collections/c").json()
    assert (left["items"], left["sequence"]) == (1, 1)


def test_a_key_that_no_item_has_is_met_by_none(service: httpx.Client) -> None:
    answer = service.post(NEIGHBORS, json={"ids": ["there"], "filter": {"color": "red"}})
    assert (answer.status_code, answer.json()["neighbors"]) == (200, [[]])


def test_what_is_just_allowed_is_taken(service: httpx.Client) -> None:
    service.put("/collections/limits", json={"loss": "softmax"})
    metadata = {f"k{i}" + "x" * 100: "ü" * 40 for i in range(64)}
    assert len(json.dumps(metadata, ensure_ascii=False).encode()) < 16 * 1024
    item = {"id": "x" * 256, "vector": [0, 0, 0, 3e38], "label": "y" * 256, "metadata": metadata}
    answer = service.post("/collections/limits/items", **items(item | {"vector": [0, 0, 0, 1e9]}))
    assert answer.status_code == 200, answer.text
    shown = service.get(f"/collections/limits/items/{'x' * 256}").json()
    assert (shown["label"], shown["metadata"]) == ("y" * 256, metadata)
    service.delete("/collections/limits")


def test_a_model_that_is_another_now_or_gone_is_not_mixed_in(tmp_path: Path) -> None:
    registry, data = tmp_path / "registry", tmp_path / "data"
    publish(registry, "arcface", Recipe(seed=1))
    publish(registry, "softmax", Recipe(seed=2))
    with ready(registry, data_dir=data) as client:
        client.put("/collections/old", json={"loss": "softmax"})
        model_sha256 = client.get("/collections/old").json()["model_sha256"]
        client.post("/collections/old/items", **items(GOOD))
    image: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}
    shutil.rmtree(registry / "softmax")
    for again in (False, True):
        if again:
            publish(registry, "softmax", Recipe(seed=3))
        with ready(registry, data_dir=data) as client:
            address = "/collections/old/items"
            for answer in (
                client.post(address, **image),
                client.post(address, **items({"image": coded(picture(0))})),
                client.post(address, **items(GOOD)),
                client.post("/neighbors?collection=old", **image),
            ):
                assert (answer.status_code, answer.json()["code"]) == (409, "model_mismatch")
                assert "python -m service reembed old" in answer.json()["detail"]
                assert answer.json()["made_by"].startswith("softmax/1")
            body = {"items": [GOOD | {"id": "new"}], "model_sha256": model_sha256}
            assert client.post(address, json=body).status_code == 200
            found = client.post("/neighbors?collection=old", json={"ids": ["new"]}).json()
            assert [one["id"] for one in found["neighbors"][0]] == ["good"]
            assert client.put("/collections/old").status_code == 200
