"""One collection's page: a folder in, searched by a picture, labeled, deleted."""

import shutil
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.browser.conftest import DESKTOP, PHONE, Visit
from tests.support.serving import ROOT

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)  # the machine may be busy

SAMPLE = ROOT / "tests" / "data" / "cifar10-sample" / "test"
EACH = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two classes, a broken one, and a file that is no picture."""
    root = tmp_path_factory.mktemp("upload") / "photos"
    for name in ("cat", "ship"):
        (root / name).mkdir(parents=True)
        for path in sorted((SAMPLE / name).glob("*.jpg"))[:EACH]:
            shutil.copy(path, root / name)
    (root / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (root / "notes.txt").write_text("no picture")
    return root


def opened(visit: Visit, atlas: httpx.Client, name: str, **how: object) -> Page:
    atlas.put(f"/collections/{name}", json={"loss": "softmax"}).raise_for_status()
    return visit(**how).open(f"/collections/{name}")


def filled(page: Page, folder: Path) -> None:
    page.set_input_files("#folder", folder)
    expect(page.locator("#upload-status")).to_contain_text("stored")


def test_a_folder_goes_in_and_each_file_that_cannot_says_why(
    visit: Visit, atlas: httpx.Client, folder: Path
) -> None:
    page = opened(visit, atlas, "folder")
    filled(page, folder)
    expect(page.locator("#upload-status")).to_have_text(
        f"{2 * EACH} of {2 * EACH + 1} stored. Left out: 1 not pictures."
    )
    expect(page.locator("#failed li")).to_have_count(1)
    assert "photos/cat/broken.jpg" in (page.locator("#failed").text_content() or "")
    expect(page.locator("#wall li")).to_have_count(2 * EACH)
    item = atlas.get("/collections/folder/items/photos/ship/0000.jpg").json()
    assert item["label"] == "ship"
    expect(page.locator("#items")).to_have_text(f"{2 * EACH} items")


def test_it_goes_on_after_a_failure_and_stops_when_canceled(
    visit: Visit, atlas: httpx.Client, tmp_path: Path
) -> None:
    for i in range(60):
        shutil.copy(SAMPLE / "dog" / "0000.jpg", tmp_path / f"{i:02d}.jpg")
    page = opened(visit, atlas, "going")
    calls: list[int] = []

    def stumble(route: Route) -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            problem = {"code": "overloaded", "detail": "full", "retry_after_s": 0}
            route.fulfill(status=503, json=problem)
        elif len(calls) == 3:
            page.click("#cancel")
            route.abort()
        else:
            route.continue_()

    page.route(
        "**/collections/going/items",
        lambda r: stumble(r) if r.request.method == "POST" else r.continue_(),
    )
    page.set_input_files("#pictures", sorted(tmp_path.glob("*.jpg")))
    expect(page.locator("#upload-status")).to_contain_text("Canceled. 24 of 60 stored.")
    expect(page.locator("#cancel")).to_be_hidden()
    assert atlas.get("/collections/going").json()["items"] == 24
    page.unroute("**/collections/going/items")
    page.set_input_files("#pictures", sorted(tmp_path.glob("*.jpg")))
    expect(page.locator("#upload-status")).to_have_text("60 of 60 stored.")
    expect(page.locator("#next")).to_be_disabled()
    expect(page.locator("#wall li")).to_have_count(60)


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_it_is_searched_labeled_and_deleted_from(
    visit: Visit, atlas: httpx.Client, folder: Path, size: tuple[int, int], scheme: str
) -> None:
    name = f"used-{scheme}"
    atlas.put(f"/collections/{name}", json={"loss": "softmax"}).raise_for_status()
    visitor = visit(size, scheme)
    page = visitor.open(f"/collections/{name}")
    expect(page.locator("#empty")).to_be_visible()
    filled(page, folder)
    page.set_input_files("#query", SAMPLE / "ship" / "0001.jpg")
    expect(page.locator("#found li").first).to_contain_text("ship")
    assert visitor.findings() == []
    page.keyboard.press("Tab")
    page.locator("#found button").first.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    assert visitor.findings() == []
    item = page.locator("#item-title").inner_text()
    page.get_by_label("Label", exact=True).fill("boat")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("is labeled boat")
    assert atlas.get(f"/collections/{name}/item", params={"id": item}).json()["label"] == "boat"
    page.locator("#found button").first.click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#items")).to_have_text(f"{2 * EACH - 1} items")
    assert atlas.get(f"/collections/{name}/item", params={"id": item}).status_code == 404
    page.click("#close-results")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.locator("summary", has_text="Delete this collection").click()
    page.fill("#confirm", name)
    page.locator("#delete-all button").click()
    page.wait_for_url("**/collections")
    assert atlas.get(f"/collections/{name}").status_code == 404


def test_a_collection_is_made_on_the_list(visit: Visit, atlas: httpx.Client) -> None:
    visitor = visit()
    page = visitor.open("/collections")
    page.fill("#new-name", "made-here")
    page.select_option("#new-loss", "center")
    page.locator("#new button").click()
    page.wait_for_url("**/collections/made-here")
    assert atlas.get("/collections/made-here").json()["loss"] == "center"
