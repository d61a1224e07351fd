"""HEAD wherever GET is, Allow with every method of an address, and conditional requests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.serving import ready, routes

KNOWN = {
    "{name}": "pets", "{id}": "a/b.png", "{loss}": "arcface", "{model}": "arcface", "{row}": "0",
    "{true}": "cat", "{predicted}": "bird", "{index}": "0",
}  # fmt: skip
FIGURES = {
    "/report/figures/{name}.svg": "results",
    "/report/{loss}/figures/{name}.svg": "confusion-matrix",
}
GETS = sorted(path for method, path in routes() if method == "GET")


def address(path: str) -> str:
    for name, value in (KNOWN | {"{name}": FIGURES.get(path, "pets")}).items():
        path = path.replace(name, value)
    return path


@pytest.fixture(scope="module")
def filled(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry) as client:
        assert client.put("/collections/pets").status_code == 201
        item: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}
        for name, label in (("a/b.png", "cat"), ("c.png", "dog")):
            where = f"/collections/pets/items?id={name}&label={label}"
            assert client.post(where, **item).status_code == 200
        yield client


@pytest.mark.parametrize("path", [*GETS, "/docs", "/openapi.json"])
def test_head_answers_as_get_does_without_the_body(filled: httpx.Client, path: str) -> None:
    query = {"max_error": "0.1"} if path.endswith("threshold") else {}
    query |= {"id": "a/b.png"} if path.endswith(("/item", "/image", "/thumbnail")) else {}
    where = address(path)
    if "{sha256}" in path:
        where = filled.get("/report/arcface/map").json()["sheets"]["addresses"][0]
    got = filled.get(where, params=query)
    head = filled.head(where, params=query)
    status = 303 if path == "/sign-in" else 200  # without a key there is nothing to sign in for
    assert got.status_code == status, got.text
    assert (head.status_code, head.content) == (status, b"")
    own = {"x-request-id", "date"} | ({"content-length"} if path == "/metrics" else set())
    for name in (set(got.headers) | set(head.headers)) - own:
        assert head.headers.get(name) == got.headers.get(name), name
    assert int(head.headers["content-length"]) > 0 or status != 200


def test_head_of_what_is_not_there_is_as_get(filled: httpx.Client) -> None:
    for path in ("/nix", "/models/nix", "/collections/nix", "/models?x=%00", "/report/nix"):
        assert filled.head(path).status_code == filled.get(path).status_code, path


def test_head_is_counted_under_its_route(filled: httpx.Client) -> None:
    filled.head("/collections/pets")
    counted = 'lossatlas_requests_total{method="HEAD",route="/collections/{name}",status="200"}'
    assert counted in filled.get("/metrics").text


@pytest.mark.parametrize("path", sorted({path for _, path in routes()}))
def test_allow_names_every_method_of_an_address(filled: httpx.Client, path: str) -> None:
    methods = {method for method, other in routes() if other == path}
    methods |= {"HEAD"} if "GET" in methods else set()
    for method in ("PATCH", "OPTIONS", "TRACE", *({"GET", "HEAD", "POST"} - methods)):
        answer = filled.request(method, address(path))
        assert answer.status_code == 405, method
        assert set(answer.headers["allow"].split(", ")) == methods, method
        if method != "HEAD":
            assert answer.json()["code"] == "method_not_allowed"


PICTURES = ["/collections/pets/images/a/b.png", "/collections/pets/thumbnails/a/b.png"]


@pytest.mark.parametrize("path", PICTURES)
@pytest.mark.parametrize(
    "given", ["{}", "W/{}", '"x", {}', 'W/"x",W/{} , "y"', "*", '"a,b", {}', '"a"\n{}']
)
def test_a_picture_that_the_client_has_is_not_sent(
    filled: httpx.Client, path: str, given: str
) -> None:
    tag = filled.get(path).headers["etag"]
    headers = [("If-None-Match", one) for one in given.format(tag).split("\n")]
    for method in ("GET", "HEAD"):
        answer = filled.request(method, path, headers=headers)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag


@pytest.mark.parametrize("given", ['"x"', "", "W/", '"x', "{bare}", '"*"', "W/*"])
def test_a_picture_of_another_tag_is_sent(filled: httpx.Client, given: str) -> None:
    bare = filled.get(PICTURES[0]).headers["etag"].strip('"')
    headers = {"If-None-Match": given.format(bare=bare)}
    assert filled.get(PICTURES[0], headers=headers).content == picture(0)


def test_a_photograph_of_several_pictures_is_served_as_jpeg(filled: httpx.Client) -> None:
    from io import BytesIO

    from PIL import Image

    several = BytesIO()
    first, second = (Image.new("RGB", (16, 16), color) for color in ("red", "blue"))
    first.save(several, "MPO", save_all=True, append_images=[second])
    for name, data in {"photo.mpo": several.getvalue(), "a.bmp": picture(1, kind="BMP")}.items():
        put: dict[str, Any] = {"content": data, "headers": {"Content-Type": "image/jpeg"}}
        assert filled.post(f"/collections/pets/items?id={name}", **put).status_code == 200
        answer = filled.get(f"/collections/pets/images/{name}")
        assert answer.content == data
        assert answer.headers["content-type"] == {"photo.mpo": "image/jpeg"}.get(name, "image/bmp")
