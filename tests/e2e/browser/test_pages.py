"""Every page: no findings of axe-core, nothing wider than the screen, nothing from abroad."""

import pytest

from tests.e2e.browser.conftest import DESKTOP, PHONE, Visit

pytestmark = pytest.mark.browser

PAGES = ["/", "/explore", "/report", "/report/softmax", "/report/arcface?version=1"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_a_page_is_accessible(visit: Visit, path: str, size: tuple[int, int], scheme: str) -> None:
    visitor = visit(size, scheme)
    page = visitor.open(path)
    assert visitor.findings() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_losses_are_tabs_and_versions_a_switch(visit: Visit) -> None:
    page = visit().open("/report/softmax")
    tabs = page.get_by_role("navigation", name="Losses and versions")
    tabs.get_by_role("link", name="triplet").click()
    assert "triplet" in page.title()
    tabs.get_by_role("link", name="1", exact=True).click()
    assert page.url.endswith("/report/triplet?version=1")


def test_the_manual_works_without_a_network(visit: Visit) -> None:
    page = visit().open("/docs")
    page.wait_for_selector("#operations-images-compare_compare_post, .opblock")
