"""The picture of the front page that the README opens with: `make picture` takes it."""

import io
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.serving import ROOT, started

TARGET = ROOT / "docs" / "page.png"
MOST_BYTES = 300_000
_WIDTH, _COLORS = 1180, 256
_FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def take(target: Path) -> int:
    """Photograph the page with a picture dropped on it; return the file's size in bytes."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("Chromium is missing; apt-get install chromium brings it")
    with (
        TemporaryDirectory() as data,
        started(f"--data-dir={data}", "--workers=1") as (client, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        page = browser.new_page(
            viewport={"width": _WIDTH, "height": 900}, color_scheme="light", reduced_motion="reduce"
        )
        page.goto(str(client.base_url))
        taken = _shown(page)
        browser.close()
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    fewer = image.quantize(_COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    fewer.save(target, optimize=True)
    return target.stat().st_size


def _shown(page: Page) -> bytes:
    page.set_input_files("#files", ROOT / "tests" / "data" / "photos" / "chelsea.png")
    expect(page.locator(".card")).to_have_count(5, timeout=60_000)
    expect(page.locator(".near-list img")).to_have_count(5, timeout=60_000)
    for image in page.locator("#results img").all():
        image.scroll_into_view_if_needed()  # they are loaded when they are near
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")
    end = page.locator(".legend").bounding_box()
    assert end is not None
    height = end["y"] + end["height"] + 10
    return page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": _WIDTH, "height": height})


if __name__ == "__main__":
    size = take(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
    sys.exit(f"{size:,} bytes are too many" if size > MOST_BYTES else 0)
