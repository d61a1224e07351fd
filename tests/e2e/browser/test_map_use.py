"""Maps of the models in use: hover, slider, colors, CSV, a new collection."""

import csv
import math
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import Visit

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)  # the machine may be busy

Place = tuple[float, float]


@pytest.fixture
def about(atlas: httpx.Client) -> dict[str, int]:
    found: dict[str, int] = atlas.get("/report/arcface/map").json()
    return found


def opened(visit: Visit, about: dict[str, int]) -> Page:
    page = visit().open("/explore")
    expect(page.locator("#status")).to_contain_text(f"{about['count']:,} images")
    page.locator("#left-map canvas").scroll_into_view_if_needed()
    return page


def center(page: Page, side: str = "left") -> Place:
    frame = page.locator(f"#{side}-map canvas").bounding_box()
    assert frame is not None
    return frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2


def seen(page: Page, side: str = "left") -> np.ndarray:
    """Return the drawn pixels, as the compositor shows them."""
    from io import BytesIO

    from PIL import Image

    shot = page.locator(f"#{side}-map").screenshot()
    return np.asarray(Image.open(BytesIO(shot)).convert("RGB")).astype(int)


def ring(page: Page, radius: float) -> None:
    x, y = center(page)
    page.check("#lasso")
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for step in range(1, 26):
        page.mouse.move(x + radius * math.cos(step / 4), y + radius * math.sin(step / 4))
    page.mouse.up()
    expect(page.locator("#chosen li").first).to_be_visible()


def test_the_pointer_shows_a_picture_and_what_is_said_of_it(
    visit: Visit, about: dict[str, int]
) -> None:
    page = opened(visit, about)
    x, y = center(page)
    for step in range(200):
        page.mouse.move(x + 3 * step * math.cos(step / 5), y + 3 * step * math.sin(step / 5))
        if page.locator("#hover").is_visible():
            break
    expect(page.locator("#hover")).to_be_visible()
    expect(page.locator("#hover canvas, #hover img")).to_have_count(1)
    assert "%" in page.locator("#hover").inner_text()


def test_the_slider_moves_the_points_to_the_other_plane(
    visit: Visit, about: dict[str, int]
) -> None:
    page = opened(visit, about)
    before, other = seen(page), seen(page, "right")
    page.locator("#way").fill("1")
    page.wait_for_timeout(500)
    after = seen(page)
    assert np.abs(after - before).mean() > 1
    height = min(len(after), len(other))
    width = min(after.shape[1], other.shape[1])
    left, right = (one[:height, :width] for one in (after, other))
    assert np.abs(left - right).mean() < np.abs(before[:height, :width] - right).mean()
    page.locator("#way").focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(500)
    assert np.abs(seen(page) - before).mean() < 0.5


def test_colors_say_what_the_legend_says(visit: Visit, about: dict[str, int]) -> None:
    page = opened(visit, about)
    shown = [seen(page)]
    for coloring in ("error", "confidence", "prediction"):
        page.select_option("#coloring", coloring)
        page.wait_for_timeout(400)
        shown.append(seen(page))
        assert np.abs(shown[-1] - shown[-2]).mean() > 0.2, coloring
    page.select_option("#coloring", "error")
    expect(page.locator("#legend li")).to_have_text(["right", "wrong"])
    page.select_option("#coloring", "unknown")
    expect(page.locator("#legend li")).to_have_count(2)


def test_a_choice_is_saved_as_csv(visit: Visit, about: dict[str, int], tmp_path: Path) -> None:
    page = opened(visit, about)
    ring(page, 60)
    count = int(page.locator("#count").inner_text().split()[0].replace(",", ""))
    with page.expect_download() as waiting:
        page.click("#csv")
    saved = tmp_path / "chosen.csv"
    waiting.value.save_as(saved)
    rows = list(csv.DictReader(saved.read_text().splitlines()))
    assert len(rows) == count
    assert list(rows[0]) == ["id", "label", "prediction", "confidence"]
    ids = set(about["ids"])  # type: ignore[call-overload] # JSON
    assert all(row["id"] in ids for row in rows)


def test_a_choice_of_test_images_goes_into_a_new_collection(
    visit: Visit, atlas: httpx.Client, about: dict[str, int]
) -> None:
    page = opened(visit, about)
    ring(page, 12)
    count = int(page.locator("#count").inner_text().split()[0].replace(",", ""))
    page.fill("#target", "chosen-here")
    page.locator("#keep button").click()
    expect(page.locator("#kept a")).to_contain_text(f"{count:,} images are in chosen-here")
    made = atlas.get("/collections/chosen-here").json()
    assert (made["items"], made["loss"]) == (count, "arcface")
    first = atlas.get("/collections/chosen-here/items?limit=1").json()["items"][0]
    assert first["thumbnail"]


def test_points_are_drawn_soon_after_they_came(visit: Visit, about: dict[str, int]) -> None:
    """No time is asserted: `benchmarks/pages` measures it. The marks it goes by must be there."""
    page = opened(visit, about)
    for _ in range(100):
        marks = page.evaluate("performance.getEntriesByType('mark').map((one) => one.name)")
        if "points-drawn" in marks:
            break
        time.sleep(0.05)
    assert marks.index("points-here") < marks.index("points-drawn")
