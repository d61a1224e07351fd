"""Every row of the bad-input table, while good requests in flight stay undisturbed."""

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import httpx
import pytest

from service.http.responses.schemas import Problem
from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S

GOOD = picture(0)
HUGE = picture(1, (200, 100))  # 20,000 pixels; the limit is 10,000
JPEG = picture(2, (90, 90), "JPEG")
CUT = JPEG[: len(JPEG) // 2]
BOUNDARY = b"--x\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\n"


def coded(image: bytes) -> str:
    return base64.b64encode(image).decode()


def raw(content: bytes, media: str = "image/png") -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Type": media}}


def files(*images: bytes) -> dict[str, Any]:
    return {"files": [("image", (f"{i}.png", image)) for i, image in enumerate(images)]}


def chunked(size: int) -> Iterator[bytes]:
    for _ in range(size // 1000):
        yield bytes(1000)


@dataclass(frozen=True)
class Bad:
    """One bad request and what must come back."""

    name: str
    status: int
    code: str
    body: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    path: str = "/embed"


MULTIPART = "multipart/form-data; boundary=x"
TABLE = [
    Bad("unknown loss", 404, "unknown_model", raw(GOOD),
        {"name": "nix", "available": ["arcface", "softmax"]}, "/embed?loss=nix"),
    Bad("a path as loss", 404, "unknown_model", raw(GOOD), {}, "/embed?loss=../../etc"),
    Bad("unknown version", 404, "unknown_model", raw(GOOD),
        {"available": ["arcface/2", "arcface/1"]}, "/embed?version=9"),
    Bad("unknown collection", 404, "unknown_model", raw(GOOD),
        {"name": "nix", "available": ["gallery"]}, "/neighbors?collection=nix"),
    Bad("body too large", 413, "body_too_large", raw(bytes(200_001)), {"limit": 200_000}),
    Bad("chunked body too large", 413, "body_too_large",
        {"content": chunked(300_000), "headers": {"Content-Type": "image/png"}},
        {"limit": 200_000}),
    Bad("multipart too large", 413, "body_too_large", files(bytes(300_000)), {"limit": 200_000}),
    Bad("nine files", 413, "too_many_images", files(*[GOOD] * 9), {"limit": 8}),
    Bad("nine in JSON", 413, "too_many_images", {"json": {"images": [coded(GOOD)] * 9}},
        {"limit": 8}),
    Bad("too many pixels", 413, "image_too_large", files(GOOD, HUGE, HUGE),
        {"limit": 10_000, "index": 1, "indexes": [1, 2]}),
    Bad("no content type", 415, "unsupported_media_type", {"content": GOOD}),
    Bad("text", 415, "unsupported_media_type", raw(GOOD, "text/plain"),
        {"content_type": "text/plain"}),
    Bad("curl's default type", 415, "unsupported_media_type",
        raw(GOOD, "application/x-www-form-urlencoded")),
    Bad("empty body", 422, "no_image", raw(b"")),
    Bad("no images in JSON", 422, "no_image", {"json": {"images": []}}),
    Bad("no parts", 422, "no_image", raw(b"--x--\r\n", MULTIPART)),
    Bad("not an image", 422, "undecodable_image", raw(b"hello"), {"index": 0, "indexes": [0]}),
    Bad("truncated", 422, "undecodable_image", raw(CUT), {"indexes": [0]}),
    Bad("some bad among good", 422, "undecodable_image", files(GOOD, b"x", GOOD, CUT),
        {"index": 1, "indexes": [1, 3]}),
    Bad("an empty part", 422, "undecodable_image", files(GOOD, b""), {"indexes": [1]}),
    Bad("bad base64 and a bad image", 422, "undecodable_image",
        {"json": {"images": ["!!!", coded(GOOD), coded(b"x"), ""]}}, {"indexes": [0, 2, 3]}),
    Bad("an address", 422, "undecodable_image",
        {"json": {"images": ["http://localhost/a.png"]}}, {"indexes": [0]}),
    Bad("data URI without base64", 422, "undecodable_image",
        {"json": {"images": ["data:image/png,abc"]}}, {"indexes": [0]}),
    Bad("an SVG", 422, "undecodable_image", raw(b"<svg/>", "image/svg+xml"), {"indexes": [0]}),
    Bad("broken JSON", 422, "malformed_body", raw(b'{"images": [', "application/json")),
    Bad("JSON that is a list", 422, "malformed_body", {"json": [coded(GOOD)]}),
    Bad("JSON with numbers", 422, "malformed_body", {"json": {"images": [1]}}),
    Bad("JSON with another field", 422, "malformed_body",
        {"json": {"images": [coded(GOOD)], "loss": "softmax"}}),
    Bad("multipart without boundary", 422, "malformed_body", raw(b"", "multipart/form-data")),
    Bad("not multipart", 422, "malformed_body", raw(b"hello", MULTIPART)),
    Bad("cut multipart", 422, "malformed_body", raw(BOUNDARY + GOOD, MULTIPART)),
    Bad("a form field", 422, "malformed_body",
        {"data": {"loss": "softmax"}, **files(GOOD)}),
    Bad("a number that is none", 422, "invalid_parameter", raw(GOOD), {}, "/classify?top_k=x"),
    Bad("top_k of 0", 422, "invalid_parameter", raw(GOOD), {}, "/classify?top_k=0"),
    Bad("k of 0", 422, "invalid_parameter", raw(GOOD), {}, "/neighbors?k=0"),
    Bad("k of 101", 422, "invalid_parameter", raw(GOOD), {}, "/neighbors?k=101"),
    Bad("unknown parameter", 422, "invalid_parameter", raw(GOOD), {}, "/embed?los=softmax"),
    Bad("unknown encoding", 422, "invalid_parameter", raw(GOOD), {}, "/embed?encoding_format=x"),
    Bad("unknown address", 404, "not_found", raw(GOOD), {}, "/nix"),
]  # fmt: skip


@pytest.fixture(scope="module")
def traffic(client: httpx.Client) -> Iterator[list[bytes]]:
    """Good requests that go on while the tests of this module run."""
    stop, answers = Event(), list[bytes]()
    first = client.post("/embed", **files(GOOD, JPEG)).content

    def keep_asking() -> None:
        with httpx.Client(base_url=client.base_url, timeout=PATIENCE_S) as own:
            while not stop.is_set():
                answers.append(own.post("/embed", **files(GOOD, JPEG)).content)
                stop.wait(0.005)

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(keep_asking) for _ in range(2)]
        try:
            yield answers
        finally:
            stop.set()
        for one in asking:
            one.result()
    assert set(answers) == {first}


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_bad_input_is_refused_with_its_code(
    client: httpx.Client, traffic: list[bytes], bad: Bad
) -> None:
    before = len(traffic)
    answer = client.post(bad.path, **bad.body)
    problem = Problem.model_validate(answer.json())
    assert (answer.status_code, problem.status, problem.code) == (bad.status, bad.status, bad.code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.request_id == answer.headers["x-request-id"]
    assert answer.json().items() >= bad.facts.items()
    wait_for_more(traffic, before)


def wait_for_more(answers: list[bytes], before: int) -> None:
    """Good requests are still answered."""
    give_up = time.monotonic() + PATIENCE_S
    while len(answers) <= before:
        assert time.monotonic() < give_up
        time.sleep(0.001)


def test_wrong_method_names_the_right_ones(client: httpx.Client) -> None:
    answer = client.get("/embed")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_a_lying_content_length_is_no_way_around_the_cap(client: httpx.Client) -> None:
    body = b"".join(chunked(150_000))
    within = client.post("/embed", **raw(body))
    assert within.json()["code"] == "undecodable_image"


def test_unknown_names_below_a_model(client: httpx.Client) -> None:
    figure = client.get("/report/arcface/figures/nix.svg").json()
    thumbnail = client.get("/models/arcface/thumbnails/30.jpg").json()
    assert (figure["code"], figure["available"]) == ("unknown_figure", ["confusion-matrix"])
    assert (thumbnail["code"], thumbnail["count"]) == ("unknown_thumbnail", 30)
    compared = client.get("/report/figures/nix.svg").json()
    assert (compared["code"], compared["available"]) == ("unknown_figure", ["results"])
    for path in (
        "/report/nix",
        "/report/nix/threshold?max_error=0.1",
        "/report/nix/figures/a.svg",
        "/report/arcface/threshold?max_error=0.1&version=9",
        "/models/nix",
        "/models/nix/thumbnails/0.jpg",
    ):
        assert client.get(path).json()["code"] == "unknown_model"


@pytest.mark.parametrize("given", ["-0.01", "1.01", "nan", "inf", "x", "5%25", ""])
@pytest.mark.parametrize("path", ["/report/arcface/threshold", "/report/arcface"])
def test_an_error_that_is_no_share_is_refused(client: httpx.Client, path: str, given: str) -> None:
    answer = client.get(f"{path}?max_error={given}", headers={"Accept": "application/json"})
    problem = Problem.model_validate(answer.json())
    assert (answer.status_code, problem.code) == (422, "invalid_parameter")
    assert [fault.parameter for fault in problem.errors or []] == ["max_error"]
    page = client.get(f"{path}?max_error={given}", headers={"Accept": "text/html"})
    assert page.status_code == 422
    assert "invalid_parameter" in page.text


def test_a_threshold_needs_an_error(client: httpx.Client) -> None:
    assert client.get("/report/arcface/threshold").json()["code"] == "invalid_parameter"
