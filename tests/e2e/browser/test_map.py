"""The map and the confusions, where the committed models have a map."""

import math
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import DESKTOP, PHONE, Visit

pytestmark = pytest.mark.browser


@pytest.fixture
def about(atlas: httpx.Client) -> dict[str, int]:
    answer = atlas.get("/report/softmax/map")
    if answer.status_code == 404:
        pytest.skip("the committed softmax was published without a map")
    found: dict[str, int] = answer.json()
    return found


def circle(page: Page) -> None:
    page.check("#lasso")
    page.locator("#left-map canvas").scroll_into_view_if_needed()
    frame = page.locator("#left-map canvas").bounding_box()
    assert frame is not None
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    radius = min(frame["width"], frame["height"]) / 3
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for step in range(1, 25):
        page.mouse.move(x + radius * math.cos(step / 4), y + radius * math.sin(step / 4))
    page.mouse.up()


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_a_lasso_gives_a_list_whose_images_open(
    visit: Visit, about: dict[str, int], cat: Path, size: tuple[int, int], scheme: str
) -> None:
    visitor = visit(size, scheme)
    page = visitor.open("/explore")
    expect(page.locator("#status")).to_contain_text(f"{about['count']:,} images")
    circle(page)
    expect(page.locator("#chosen li").first).to_be_visible()
    page.locator("#chosen button").first.click()
    expect(page.locator("#detail tbody tr")).to_have_count(5)
    expect(page.locator("#detail .near img").first).to_be_visible()
    page.set_input_files("#file", cat)
    expect(page.locator(".star")).to_have_count(2)
    assert visitor.findings() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_cell_opens(visit: Visit, about: dict[str, int]) -> None:
    visitor = visit()
    page = visitor.open("/report/softmax")
    cell = page.locator('td[data-true="cat"][data-predicted="dog"] button').first
    cell.click()
    expect(page.locator("#cell li").first).to_be_visible()
    assert visitor.findings() == []


def test_a_model_without_a_map_says_so(visit: Visit) -> None:
    visitor = visit()
    problem = {"code": "unknown_map", "title": "No map", "status": 404, "detail": "no map yet"}
    visitor.page.route("**/report/*/map*", lambda route: route.fulfill(status=404, json=problem))
    page = visitor.open("/explore")
    expect(page.locator("#status")).not_to_have_text("Loading …")
    expect(page.locator("#status")).to_contain_text("no map yet")
    assert visitor.findings() == []
