"""The map of a collection: both layouts, hover, neighbors, a choice that becomes a collection."""

import csv
import math
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.browser.conftest import DESKTOP, PHONE, Visit
from tests.support.serving import ROOT

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)  # the machine may be busy

SAMPLE = ROOT / "tests" / "data" / "cifar10-sample" / "test"
CLASSES = ("frog", "ship", "truck")


@pytest.fixture(scope="module")
def stored(atlas: httpx.Client) -> int:
    atlas.put("/collections/mapped", json={"loss": "softmax"}).raise_for_status()
    count = 0
    for name in CLASSES:
        for path in sorted((SAMPLE / name).glob("*.jpg")):
            query = {"id": f"{name}/{path.name}", "label": name}
            headers = {"Content-Type": "image/jpeg"}
            address = "/collections/mapped/items"
            answer = atlas.post(address, params=query, content=path.read_bytes(), headers=headers)
            answer.raise_for_status()
            count += 1
    return count


def surround(page: Page) -> None:
    page.check("#lasso")
    page.locator("#frame canvas").scroll_into_view_if_needed()
    frame = page.locator("#frame canvas").bounding_box()
    assert frame is not None
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    wide, high = frame["width"] / 2 - 3, frame["height"] / 2 - 3
    page.mouse.move(x + wide, y + high)
    page.mouse.down()
    for right, down in ((-1, 1), (-1, -1), (1, -1), (1, 0.9)):
        page.mouse.move(x + right * wide, y + down * high, steps=4)
    page.mouse.up()


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_a_collection_is_looked_at_on_its_map(
    visit: Visit, stored: int, cat: Path, size: tuple[int, int], scheme: str
) -> None:
    visitor = visit(size, scheme)
    page = visitor.open("/explore?collection=mapped")
    expect(page.locator("#status")).to_contain_text(f"{stored} items; the two principal")
    expect(page.locator("#trust")).to_contain_text("Trustworthiness")
    page.select_option("#layout", "neighbors")
    expect(page.locator("#status")).to_contain_text("items; forces", timeout=120_000)
    expect(page.locator("#legend button")).to_have_text(list(CLASSES))
    page.locator("#legend button").first.press("Enter")
    expect(page.locator("#count")).to_have_text("10 chosen")
    expect(page.locator("#chosen img")).to_have_count(10)
    page.locator("#chosen button").first.press("Enter")
    expect(page.locator("#detail .listed")).to_have_count(12)
    page.set_input_files("#file", cat)
    expect(page.locator(".star")).to_have_count(1)
    assert visitor.findings() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_hover_shows_the_item(visit: Visit, stored: int) -> None:
    page = visit().open("/explore?collection=mapped")
    expect(page.locator("#status")).to_contain_text(f"{stored} items")
    frame = page.locator("#frame canvas").bounding_box()
    assert frame is not None
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    for step in range(400):
        page.mouse.move(x + step * math.cos(step / 6), y + 0.6 * step * math.sin(step / 6))
        if page.locator("#hover").is_visible():
            break
    expect(page.locator("#hover img")).to_be_visible()
    assert page.locator("#hover small").inner_text().split("/")[0] in CLASSES


def test_a_lasso_becomes_a_csv_and_a_collection(
    visit: Visit, atlas: httpx.Client, stored: int, tmp_path: Path
) -> None:
    page = visit().open("/explore?collection=mapped")
    expect(page.locator("#status")).to_contain_text(f"{stored} items")
    surround(page)
    expect(page.locator("#count")).to_have_text(f"{stored} chosen")
    with page.expect_download() as waiting:
        page.click("#csv")
    waiting.value.save_as(tmp_path / "chosen.csv")
    rows = list(csv.DictReader((tmp_path / "chosen.csv").read_text().splitlines()))
    assert len(rows) == stored
    assert all(row["id"].startswith(row["label"]) for row in rows)
    page.fill("#target", "copied")
    page.locator("#keep button").click()
    expect(page.locator("#kept a")).to_contain_text(f"{stored} items are in copied")
    assert atlas.get("/collections/copied").json()["items"] == stored
    one = atlas.get("/collections/copied/items?limit=1").json()["items"][0]
    assert atlas.get(one["thumbnail"]).status_code == 200


def test_a_map_that_takes_longer_than_a_request_is_asked_for_again(
    visit: Visit, stored: int
) -> None:
    visitor = visit()
    asked: list[str] = []

    def late(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            route.continue_()
        else:
            problem = {"code": "deadline_exceeded", "detail": "too late"}
            route.fulfill(status=504, json=problem)

    visitor.page.route("**/collections/mapped/map*", late)
    page = visitor.open("/explore?collection=mapped")
    expect(page.locator("#status")).to_contain_text(f"{stored} items")
    assert len(asked) == 2
