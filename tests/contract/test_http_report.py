from pathlib import Path

import httpx
import pytest

from models.report import Report
from models.store import Store
from service.http.schemas import ModelDetail, ModelList, ReportOverview
from tests.bundles import SVG

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("loss", ["arcface", "softmax"])
def test_the_report_is_the_published_one(
    client: httpx.Client, tiny_registry: Path, loss: str
) -> None:
    answer = client.get(f"/report/{loss}")
    assert answer.headers["content-type"] == "application/json"
    assert Report.model_validate(answer.json()) == Store(tiny_registry).load(loss).report


@pytest.mark.parametrize("path", ["/report/arcface", "/report"])
def test_a_browser_gets_a_page_from_the_same_address(client: httpx.Client, path: str) -> None:
    page = client.get(path, headers=BROWSER)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!doctype html>")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for answer in (page, client.get(path)):
        assert answer.headers["vary"] == "Accept"


def test_the_pages_figures_are_there(client: httpx.Client) -> None:
    page = client.get("/report/arcface", headers=BROWSER).text
    address = page.split('<img src="')[1].split('"')[0]
    figure = client.get(address)
    assert (figure.content, figure.headers["content-type"]) == (SVG, "image/svg+xml")


def test_the_overview_has_every_loss(client: httpx.Client) -> None:
    overview = ReportOverview.model_validate(client.get("/report").json())
    assert [one.name for one in overview.losses] == ["arcface", "softmax"]
    for one in overview.losses:
        report = Report.model_validate(client.get(one.report).json())
        assert one.accuracy == report.accuracy


def test_the_front_page_leads_on(client: httpx.Client) -> None:
    page = client.get("/").text
    for address in ("/report", "/models", "/docs", "/report/arcface"):
        assert f'href="{address}"' in page
    assert f"{client.base_url}/classify?loss=arcface" in page.replace(":80/", "/")


def test_models_say_what_they_are_and_what_runs_them(
    client: httpx.Client, tiny_registry: Path
) -> None:
    listed = ModelList.model_validate(client.get("/models").json())
    assert listed.default == "arcface"
    assert [(one.name, one.version) for one in listed.models] == [("arcface", 2), ("softmax", 1)]
    assert {one.provider for one in listed.models} == {"CPUExecutionProvider"}
    one = ModelDetail.model_validate(client.get("/models/arcface").json())
    assert one.manifest == Store(tiny_registry).load("arcface").manifest
    assert (one.versions, one.state) == ([2, 1], "ready")
    older = ModelDetail.model_validate(client.get("/models/arcface?version=1").json())
    assert older.version == 1


def test_ready_says_so_for_each_model(client: httpx.Client) -> None:
    readiness = client.get("/health/ready").json()
    assert readiness["status"] == "ready"
    assert [one["state"] for one in readiness["models"]] == ["ready", "ready"]
