"""Every page: no findings of axe-core, nothing wider than the screen, nothing from abroad."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import DESKTOP, PHONE, Visit

pytestmark = pytest.mark.browser

PAGES = [
    *("/", "/explore", "/report", "/report/softmax", "/report/arcface?version=1", "/docs"),
    *("/models", "/models/arcface?version=1", "/collections", "/report/arcface/versions"),
    *("/nix", "/report/nix", "/report/arcface?version=x"),
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_a_page_is_accessible(visit: Visit, path: str, size: tuple[int, int], scheme: str) -> None:
    visitor = visit(size, scheme)
    page = visitor.open(path)
    assert visitor.findings() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_losses_are_tabs_and_versions_a_switch(visit: Visit) -> None:
    page = visit().open("/report/softmax")
    losses = page.get_by_role("navigation", name="Losses")
    losses.get_by_role("link", name="triplet").click()
    assert "triplet" in page.title()
    page.get_by_role("navigation", name="Versions").get_by_role("link", name="1").click()
    assert page.url.endswith("/report/triplet?version=1")
    losses.get_by_role("link", name="softmax").click()
    assert page.url.endswith("/report/softmax?version=1")  # the version is kept
    page.get_by_role("link", name="Model card").click()
    assert page.url.endswith("/models/softmax?version=1")
    page.get_by_role("link", name="Versions side by side").click()
    assert page.url.endswith("/report/softmax/versions")
    expect(page.locator("[data-sheets] canvas").first).to_be_visible()


def test_the_manual_sends_a_picture(visit: Visit, cat: Path) -> None:
    visitor = visit()
    page = visitor.open("/docs#compare_compare_post")
    operation = page.locator("#compare_compare_post")
    operation.locator("[data-name=k]").fill("1")
    operation.locator("input[type=file]").set_input_files(cat)
    operation.get_by_role("button", name="Send").click()
    expect(operation.locator("output")).to_contain_text("200 OK")
    expect(operation.locator("output")).to_contain_text('"agreement"')
    expect(operation.locator("output pre").first).to_contain_text("/compare?k=1'")
    assert visitor.findings() == []
