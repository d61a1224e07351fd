"""Errors are pages for a browser, and the same JSON as ever for programs."""

from pathlib import Path

import httpx
import pytest

from service.http.pages.advice import is_covered
from service.http.pages.pages import Pages
from service.http.responses.errors import MEDIA_TYPE, OTHERS, TABLE, ProblemType
from service.inference.catalog import Catalog
from tests.support.bundles import publish
from tests.support.serving import ready, serving

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
CASES = [
    ("GET", "/nix", 404, "not_found"),
    ("GET", "/report/nix", 404, "unknown_model"),
    ("GET", "/collections/nix", 404, "unknown_model"),
    ("GET", "/report/arcface?version=x", 422, "invalid_parameter"),
    ("GET", "/embed", 405, "method_not_allowed"),
    ("POST", "/classify", 415, "unsupported_media_type"),
]


@pytest.mark.parametrize(("method", "path", "status", "code"), CASES)
def test_a_browser_gets_a_page_and_a_program_json(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    page = client.request(method, path, headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f"<code>{code}</code>" in page.text
    assert page.headers["x-request-id"] in page.text
    assert "What to do next" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for accept in (None, "*/*", "application/json", "application/problem+json", "image/png"):
        answer = client.request(method, path, headers={} if accept is None else {"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
        assert answer.json()["code"] == code
        assert answer.headers["vary"] == page.headers["vary"] == "Accept"


def test_what_a_visitor_wrote_is_text(client: httpx.Client) -> None:
    page = client.get("/report/<script>alert(1)</script>", headers=HTML).text
    assert "<script>alert" not in page


def test_another_sites_page_gets_a_page(client: httpx.Client) -> None:
    answer = client.post("/classify", headers=HTML | {"Origin": "https://evil.example"})
    assert (answer.status_code, "<code>cross_site</code>" in answer.text) == (403, True)


def test_another_name_gets_a_page_that_loads_nothing(client: httpx.Client) -> None:
    answer = client.get("/", headers=HTML | {"Host": "evil.example"})
    assert (answer.status_code, "<code>host_not_allowed</code>" in answer.text) == (421, True)
    assert "/static/" not in answer.text


def test_what_nobody_foresaw_is_a_page(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ready(tiny_registry) as client:

        def fail(*_: object) -> None:
            raise RuntimeError("nobody foresaw it")

        monkeypatch.setattr(Pages, "home", fail)
        answer = client.get("/", headers=HTML)
        assert (answer.status_code, "<code>internal_error</code>" in answer.text) == (500, True)
        assert "nobody foresaw" not in answer.text
        assert answer.headers["x-request-id"] in answer.text
        assert client.get("/").json()["code"] == "internal_error"


def test_a_model_that_loads_is_a_page_that_says_when_to_come_back(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Catalog, "start", lambda _: None)
    with serving(tiny_registry) as client:
        answer = client.get("/report/arcface", headers=HTML)
        assert (answer.status_code, "<code>not_ready</code>" in answer.text) == (503, True)
        assert answer.headers["retry-after"]


@pytest.mark.parametrize("answer", [*TABLE.values(), *OTHERS], ids=lambda one: one.code)
def test_every_problem_says_what_to_do_next(answer: ProblemType) -> None:
    assert is_covered(answer.status, answer.code)


def test_a_damaged_model_is_in_the_list_with_its_reason(tmp_path: Path) -> None:
    publish(tmp_path, "arcface")
    publish(tmp_path, "softmax")
    (tmp_path / "softmax" / "1" / "report.json").write_text("{}")
    with ready(tmp_path) as client:
        page = client.get("/models", headers=HTML)
        assert page.status_code == 200
        assert "report.json" in page.text
        assert 'href="/report/arcface"' in page.text
        assert client.get("/models/softmax", headers=HTML).status_code == 200
