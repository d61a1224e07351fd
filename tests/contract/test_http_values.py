"""Values at the edge of what JSON, addresses and SQLite can carry: refused or taken, never 500."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.serving import ready

PNG = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}
BEYOND = ["9223372036854775808", "-9223372036854775809", "1" + "0" * 30, "9" * 5000]
ODD = [*BEYOND, "1e400", "NaN", "Infinity", "-0", "", "true", "0x10", "\ud83d", "a\0b", "½"]


@pytest.fixture(scope="module")
def odd(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry) as client:
        assert client.put("/collections/a").status_code == 201
        put: dict[str, Any] = {"content": picture(0), "headers": PNG}
        assert client.post("/collections/a/items?id=one", **put).status_code == 200
        yield client


PARAMETERS = [
    ("POST", "/embed", "version"),
    ("POST", "/classify", "version"),
    ("POST", "/classify", "top_k"),
    ("POST", "/compare", "k"),
    ("POST", "/compare", "top_k"),
    ("POST", "/neighbors", "k"),
    ("POST", "/neighbors", "version"),
    ("POST", "/neighbors?collection=a", "version"),
    ("GET", "/models/arcface", "version"),
    ("GET", "/models/arcface/thumbnails/0.jpg", "version"),
    ("GET", "/report/arcface", "version"),
    ("GET", "/report/arcface/threshold?max_error=0.1", "version"),
    ("GET", "/report/arcface/figures/confusion-matrix.svg", "version"),
    ("GET", "/collections/a/items", "after"),
    ("GET", "/collections/a/items", "limit"),
]


@pytest.mark.parametrize(("method", "path", "name"), PARAMETERS)
def test_an_integer_beyond_64_bits_is_an_invalid_parameter(
    odd: httpx.Client, method: str, path: str, name: str
) -> None:
    for value in BEYOND:
        body: dict[str, Any] = {} if method == "GET" else {"content": picture(0), "headers": PNG}
        sign = "&" if "?" in path else "?"
        answer = odd.request(method, f"{path}{sign}{name}={value}", **body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter"), value
        assert [fault["parameter"] for fault in answer.json()["errors"]] == [name]


def test_a_row_beyond_64_bits_is_an_invalid_parameter(odd: httpx.Client) -> None:
    for value in BEYOND:
        answer = odd.get(f"/models/arcface/thumbnails/{value}.jpg")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


@pytest.mark.parametrize("value", ODD)
def test_no_parameter_is_unforeseen(odd: httpx.Client, value: str) -> None:
    given = value.encode("utf-8", "surrogatepass")
    text = "".join(f"%{byte:02X}" for byte in given)
    for method, path, name in [
        *PARAMETERS,
        ("GET", "/report/arcface/threshold", "max_error"),
        *(("POST", "/neighbors", other) for other in ("min_score", "filter", "collection", "loss")),
        *(("POST", "/collections/a/items", other) for other in ("id", "label", "metadata")),
        ("GET", "/collections/a/items/one", "vector"),
    ]:
        sign = "&" if "?" in path else "?"
        body: dict[str, Any] = {} if method == "GET" else {"content": picture(0), "headers": PNG}
        answer = odd.request(method, f"{path}{sign}{name}={text}", **body)
        assert answer.status_code < 500, (path, name, answer.text)
    for path in ("/collections/{}", "/collections/a/items/{}", "/models/{}", "/report/{}",
                 "/models/arcface/thumbnails/{}.jpg", "/v1/models/{}", "/report/figures/{}.svg",
                 "/models/{}/thumbnails/0.jpg", "/v1/models/arcface/{}"):  # fmt: skip
        answer = odd.get(path.format(text))
        assert answer.status_code < 500, (path, answer.text)
    assert odd.put(f"/collections/{text}").status_code < 500


def items(**of_the_item: str) -> str:
    members = {"id": '"x"', "vector": "[1, 2, 3, 4]"} | of_the_item
    said = ", ".join(f'"{name}": {value}' for name, value in members.items())
    return f'{{"items": [{{{said}}}]}}'


NUMBERS = ["9223372036854775808", "18446744073709551616", "-9223372036854775809", "1" + "0" * 30]
NOT_FINITE = ["1e400", "-1e400", "1" + "0" * 399]
BROKEN = ["NaN", "Infinity", '"\\ud800"', '"\\udc00x"', "01", "+1", "1.", ".5", "'a'", "undefined"]


@pytest.mark.parametrize("value", [*NUMBERS, *NOT_FINITE])
def test_metadata_and_filters_hold_64_bits(odd: httpx.Client, value: str) -> None:
    for metadata in (f'{{"n": {value}}}', f'{{"a": 1, "n": {value}}}'):
        answer = odd.post("/collections/a/items", content=items(metadata=metadata), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_items"), answer.text
        raw = odd.post(
            "/collections/a/items", params={"metadata": metadata}, content=picture(0), headers=PNG
        )
        assert (raw.status_code, raw.json()["code"]) == (422, "invalid_items")
    for where in (f'{{"label": {value}}}', f'{{"label": {{"in": [1, {value}]}}}}'):
        body = f'{{"ids": ["one"], "filter": {where}}}'
        answer = odd.post("/neighbors?collection=a", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_filter")
        asked = {"collection": "a", "filter": where}
        answer = odd.post("/neighbors", params=asked, content='{"ids": ["one"]}', headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_filter")


@pytest.mark.parametrize("value", [*NUMBERS, *NOT_FINITE, *BROKEN, "true", "[]", "{}", '"\\u0000"'])
def test_no_value_of_a_body_is_unforeseen(odd: httpx.Client, value: str) -> None:
    for path, body in [
        ("/embed", f'{{"images": [{value}]}}'),
        ("/embed", f'{{"images": {value}}}'),
        ("/neighbors?collection=a", f'{{"vectors": [[1, 2, 3, {value}]]}}'),
        ("/neighbors?collection=a", f'{{"vectors": [{value}]}}'),
        ("/neighbors?collection=a", f'{{"ids": [{value}]}}'),
        ("/neighbors?collection=a", f'{{"ids": ["one"], "model_sha256": {value}}}'),
        ("/neighbors", f'{{"vectors": [[1, 2, 3, {value}]]}}'),
        *(("/collections/a/items", items(**{name: value}))
          for name in ("id", "label", "metadata", "vector", "image")),
        ("/collections/a/items", items(vector=f"[1, 2, 3, {value}]")),
        ("/collections/a/items", f'{{"items": {value}}}'),
        *(("/v1/embeddings", f'{{"model": "arcface", "input": [], "{name}": {value}}}')
          for name in ("model", "input", "dimensions", "encoding_format", "user")),
        ("/embed", value), ("/collections/a/items", value), ("/v1/embeddings", value),
    ]:  # fmt: skip
        answer = odd.post(path, content=body.encode("utf-8", "surrogatepass"), headers=JSON)
        assert answer.status_code in (200, 404, 409, 413, 422), (path, body, answer.text)
        if value in (*NOT_FINITE, *BROKEN):
            assert answer.status_code != 200, (path, body)
    for name in ("version", "loss", "metric", "index", "keep_images"):
        answer = odd.put("/collections/b", content=f'{{"{name}": {value}}}', headers=JSON)
        assert answer.status_code in (201, 422, 404), (name, answer.text)
        if answer.status_code == 201:
            assert (name, value) == ("keep_images", "true")
            odd.delete("/collections/b")


def test_a_bool_is_not_a_number(odd: httpx.Client) -> None:
    for path, body in {
        "/v1/embeddings": {"model": "arcface", "input": ["data:x"], "dimensions": True},
        "/collections/a/items": {"items": [{"vector": [True, False, True, True]}]},
        "/neighbors": {"vectors": [[1, 2, 3, True]]},
    }.items():
        assert odd.post(path, json=body).status_code == 422, path
    assert odd.put("/collections/b", json={"version": True}).status_code == 422


BODY = json.dumps({"vectors": [[1, 2, 3, 4]]})
ROUTES = ["/embed", "/neighbors", "/collections/a/items", "/v1/embeddings"]


def test_a_byte_order_mark_is_passed_over(odd: httpx.Client) -> None:
    answer = odd.post("/neighbors", content=BODY.encode("utf-8-sig"), headers=JSON)
    assert answer.status_code == 200, answer.text
    item = '{"items": [{"id": "bom", "vector": [1, 2, 3, 4]}]}'.encode("utf-8-sig")
    assert odd.post("/collections/a/items", content=item, headers=JSON).status_code == 200
    made = odd.put("/collections/bom", content=b"\xef\xbb\xbf{}", headers=JSON)
    assert made.status_code == 201


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("path", ROUTES)
def test_a_wider_unicode_is_named(odd: httpx.Client, coding: str, path: str) -> None:
    headers = {"Content-Type": f"application/json; charset={coding}"}
    answer = odd.post(path, content=BODY.encode(coding), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed_body")
    assert "UTF-16" in answer.json()["detail"]


def test_long_names_are_not_echoed_whole(odd: httpx.Client) -> None:
    long = "k" * 1_000_000
    for path, body in (
        ("/embed", {long: 1}),
        ("/collections/a/items", {"items": [{"vector": [1, 2, 3, 4], long: 1}]}),
        ("/collections/a/items", {"items": [{"vector": [1, 2, 3, 4], "metadata": {long: 1}}]}),
        ("/neighbors?collection=a", {"ids": ["one"], "filter": {long: 1}}),
        ("/neighbors?collection=a", {"ids": ["one"], "filter": {"a": {long: 1}}}),
        ("/neighbors?collection=a", {"ids": [long]}),
        ("/v1/embeddings", {"model": long, "input": ["data:x"]}),
    ):
        answer = odd.post(path, json=body)
        assert answer.status_code in (200, 404, 422), path
        assert len(answer.content) < 100_000, path
