"""Signing in, in a browser, where the service asks for a key."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import DESKTOP, PHONE, Visit
from tests.support.serving import started

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The service with a key, and a client that has it."""
    folder = tmp_path_factory.mktemp("data")
    with started(f"--data-dir={folder}", "--workers=1", "--api-key=hush") as (client, _):
        client.headers["Authorization"] = "Bearer hush"
        yield client


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_people_sign_in_use_every_page_and_sign_out(
    visit: Visit, cat: Path, size: tuple[int, int], scheme: str
) -> None:
    visitor = visit(size, scheme)
    page = visitor.open("/models")
    assert visitor.findings() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.get_by_label("API key").fill("no")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    assert visitor.findings() == []
    page.get_by_label("API key").fill("hush")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    assert page.url.endswith("/models")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
    assert page.evaluate("document.cookie") == ""
    visitor.open("/")
    page.set_input_files("#files", cat)
    expect(page.locator(".card")).to_have_count(5)
    expect(page.locator(".near-list img")).to_have_count(5)
    for path in ("/explore", "/report", "/report/softmax", "/collections", "/docs"):
        visitor.open(path)
        assert page.title() != "Sign in · LossAtlas"
    visitor.open("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    visitor.open("/models")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
