from pathlib import Path

import httpx
import pytest

from models.evidence.selective import threshold_for
from models.report import Report
from models.store import Store
from service.http.responses.schemas import ModelDetail, ModelList, ReportOverview, ThresholdAnswer
from tests.support.bundles import SVG, publish
from tests.support.comparisons import comparison
from tests.support.serving import ready

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
        assert one.accuracy == report.classification.accuracy
        assert one.ece == report.confidence.after.ece


def test_the_overview_holds_the_comparison(client: httpx.Client, tiny_registry: Path) -> None:
    overview = ReportOverview.model_validate(client.get("/report").json())
    assert overview.comparison == Store(tiny_registry).comparison() == comparison()
    assert overview.comparison_damage is None
    page = client.get("/report", headers=BROWSER).text
    for verdict in comparison().verdicts:
        assert verdict.sentence in page
    figure = client.get("/report/figures/results.svg")
    own = client.get("/report/arcface/figures/confusion-matrix.svg")
    assert (figure.content, figure.headers["content-type"]) == (SVG, "image/svg+xml")
    policy = "content-security-policy"
    assert figure.headers[policy] == own.headers[policy]
    assert '<img src="/report/figures/results.svg"' in page


def test_without_a_comparison_the_overview_says_so(tmp_path: Path) -> None:
    publish(tmp_path, "arcface")
    with ready(tmp_path) as client:
        assert client.get("/report").json()["comparison"] is None
        assert client.get("/report/figures/results.svg").json()["code"] == "unknown_figure"
        assert "No comparison" in client.get("/report", headers=BROWSER).text


def test_a_damaged_comparison_is_named_and_the_rest_works(tmp_path: Path) -> None:
    publish(tmp_path, "arcface")
    (tmp_path / "comparison").mkdir()
    (tmp_path / "comparison" / "comparison.json").write_text('{"losses": [')
    with ready(tmp_path) as client:
        overview = client.get("/report").json()
        assert (overview["comparison"], len(overview["losses"])) == (None, 1)
        assert "comparison.json" in overview["comparison_damage"]
        page = client.get("/report", headers=BROWSER)
        assert (page.status_code, "comparison.json" in page.text) == (200, True)
        figure = client.get("/report/figures/results.svg")
        assert (figure.status_code, figure.json()["code"]) == (409, "comparison_damaged")
        assert client.get("/report/arcface", headers=BROWSER).status_code == 200


def test_a_threshold_meets_the_error_that_was_named(
    client: httpx.Client, tiny_registry: Path
) -> None:
    answer = client.get("/report/arcface/threshold?max_error=0.1")
    found = ThresholdAnswer.model_validate(answer.json())
    report = Store(tiny_registry).load("arcface").report
    held = threshold_for(report.confidence.selective, 0.1)
    assert held is not None
    assert (found.choice, found.bound, found.bound_from) == (held.choice, held.bound, held.split)
    assert held.choice.calibration.upper <= held.bound <= 0.1
    assert found.confidence == 0.95
    assert (found.loss, found.version, found.max_error) == ("arcface", 2, 0.1)
    page = client.get("/report/arcface?max_error=0.1", headers=BROWSER).text
    assert found.sentence.replace(" %", "\N{NARROW NO-BREAK SPACE}%") in page
    older = client.get("/report/arcface/threshold?max_error=1&version=1").json()
    assert (older["version"], older["choice"]["calibration"]["coverage"]) == (1, 0.95)


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
