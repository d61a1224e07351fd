"""Chromium, without a network, and the committed models."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.support.serving import ROOT, started

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser for all of these tests."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; `apt-get install chromium` brings it")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="package")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The service with the committed models."""
    folder = tmp_path_factory.mktemp("data")
    with started(f"--data-dir={folder}", "--workers=1") as (client, _):
        yield client


@dataclass
class Visitor:
    """A page, and what went wrong on it."""

    page: Page
    base: str
    abroad: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page of the service."""
        self.page.goto(self.base + path)
        return self.page

    def findings(self) -> list[str]:
        """Return axe-core's findings on the page."""
        self.page.evaluate(AXE)
        found: list[dict[str, Any]] = self.page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for one in found
            for node in one["nodes"]
        ]


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, atlas: httpx.Client) -> Iterator[Visit]:
    """Open a page; afterward nothing must have been asked of another host, nor failed."""
    opened: list[Visitor] = []

    def start(size: tuple[int, int] = DESKTOP, scheme: str = "light", **more: Any) -> Visitor:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            bypass_csp=False,
            **more,
        )
        page = context.new_page()
        page.set_default_timeout(120_000)
        visitor = Visitor(page, str(atlas.base_url).rstrip("/"))

        def watch(route: Route) -> None:
            address = route.request.url
            if address.startswith((visitor.base, "data:", "blob:")):
                route.continue_()
            else:
                visitor.abroad.append(address)
                route.abort()

        context.route("**/*", watch)
        page.on("pageerror", lambda error: visitor.errors.append(str(error)))
        page.on("console", lambda said: _note(visitor, said.type, said.text))
        opened.append(visitor)
        return visitor

    yield start
    for visitor in opened:
        visitor.page.context.close()
        assert visitor.abroad == []
        assert visitor.errors == []


def _note(visitor: Visitor, kind: str, text: str) -> None:
    if kind == "error" and "Failed to load resource" not in text:
        visitor.errors.append(text)


@pytest.fixture
def cat() -> Path:
    """A picture of a cat."""
    return ROOT / "tests" / "data" / "cifar10-sample" / "test" / "cat" / "0000.jpg"
