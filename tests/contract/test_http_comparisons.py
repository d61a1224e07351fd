"""Several comparisons over HTTP: each by its name, and all side by side."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from models.store import Store
from service.http.responses.schemas import ModelList, ReportOverview
from tests.support.bundles import SVG, publish
from tests.support.comparisons import comparison, swapped
from tests.support.serving import ready

BROWSER = {"Accept": "text/html"}
OTHER = swapped("glyphs-compact", "cosface", "triplet")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service whose registry holds a default comparison, a named one, and a damaged one."""
    root = tmp_path_factory.mktemp("registry")
    publish(root, "arcface")
    figures = tmp_path_factory.mktemp("figures")
    (figures / "results.svg").write_bytes(SVG)
    store = Store(root)
    store.put_comparison(comparison(), figures)
    (figures / "results.svg").rename(figures / "others.svg")
    store.put_comparison(OTHER, figures)
    damaged = Path(root) / "comparisons" / "torn"
    damaged.mkdir()
    (damaged / "comparison.json").write_text("{")
    with ready(root) as client:
        yield client


def test_the_one_without_a_name_stays_where_it_was(serving: httpx.Client) -> None:
    overview = ReportOverview.model_validate(serving.get("/report").json())
    assert overview.comparison == comparison()
    assert serving.get("/report?comparison=default").json() == serving.get("/report").json()
    assert serving.get("/report/figures/results.svg").content == SVG


def test_each_is_at_the_address_that_lists_it(serving: httpx.Client) -> None:
    listed = ReportOverview.model_validate(serving.get("/report").json()).comparisons
    assert [one.name for one in listed] == ["default", "glyphs-compact", "torn"]
    assert ModelList.model_validate(serving.get("/models").json()).comparisons == listed
    one = listed[1]
    assert (one.epochs, one.seeds, one.runs, one.converged_runs) == (40, 5, 50, 50)
    assert (one.dataset, one.backbone) == (OTHER.dataset.name, "compact")
    overview = ReportOverview.model_validate(serving.get(one.report).json())
    assert overview.comparison == OTHER
    figures = "/report/figures/others.svg"
    assert serving.get(f"{figures}?comparison=glyphs-compact").content == SVG
    assert serving.get(figures).json()["code"] == "unknown_figure"


def test_a_damaged_one_is_named_and_hides_no_other(serving: httpx.Client) -> None:
    torn = ReportOverview.model_validate(serving.get("/report").json()).comparisons[2]
    assert "comparison.json" in (torn.damage or "")
    overview = serving.get(torn.report).json()
    assert overview["comparison"] is None
    assert "comparison.json" in overview["comparison_damage"]
    figure = serving.get("/report/figures/results.svg?comparison=torn")
    assert (figure.status_code, figure.json()["code"]) == (409, "comparison_damaged")
    page = serving.get(torn.report, headers=BROWSER)
    assert (page.status_code, "comparison.json" in page.text) == (200, True)


@pytest.mark.parametrize("address", ["/report?", "/report/figures/results.svg?"])
def test_an_unknown_one_is_refused_with_those_there_are(
    serving: httpx.Client, address: str
) -> None:
    answer = serving.get(f"{address}comparison=nix")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_comparison")
    assert answer.json()["available"] == ["default", "glyphs-compact", "torn"]


def test_the_page_says_where_the_answers_flip(serving: httpx.Client) -> None:
    (group,) = ReportOverview.model_validate(serving.get("/report").json()).across
    assert group.comparisons == ("glyphs-compact", "default")
    flipped = {one.goal: one.agreement for one in group.goals}
    assert flipped["retrieve"] == "reversed"
    page = unescape(serving.get("/report", headers=BROWSER).text)
    for goal in group.goals:
        for sentence in goal.sentences:
            assert sentence in page
    for sentence in group.settings:
        assert sentence in page


def test_the_page_of_a_named_one_shows_its_own_figures(serving: httpx.Client) -> None:
    page = serving.get("/report?comparison=glyphs-compact", headers=BROWSER).text
    addresses = [part.split('"')[0] for part in page.split('<img src="')[1:]]
    assert addresses
    assert all(one.endswith("?comparison=glyphs-compact") for one in addresses)
