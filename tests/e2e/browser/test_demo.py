"""The front page: pictures in, what every loss says out."""

import base64
import csv
import json
import subprocess
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.conftest import DESKTOP, PHONE, Visit
from tests.support.serving import ROOT

pytestmark = pytest.mark.browser

PHOTOS = ROOT / "tests" / "data" / "photos"


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_photograph_gets_a_card_of_every_loss(
    visit: Visit, atlas: httpx.Client, size: tuple[int, int], scheme: str
) -> None:
    visitor = visit(size, scheme)
    page = visitor.open("/")
    page.set_input_files("#files", PHOTOS / "chelsea.png")
    losses = [one["name"] for one in atlas.get("/models").json()["models"]]
    expect(page.locator(".card")).to_have_count(len(losses))
    assert page.locator(".card h2").all_inner_texts() == losses
    answer = atlas.post("/compare?k=5&top_k=3", content=(PHOTOS / "chelsea.png").read_bytes(),
        headers={"Content-Type": "image/png"}).json()["images"][0]  # fmt: skip
    said = [one["label"] for one in answer["opinions"]]
    assert page.locator(".said").all_inner_texts() == said
    expect(page.locator("#status")).to_contain_text(answer["agreement"]["label"])
    expect(page.locator(".near img")).to_have_count(5 * len(losses))
    assert not is_too_wide(page)
    assert visitor.findings() == []


def test_a_picture_is_dropped(visit: Visit, cat: Path) -> None:
    page = visit().open("/")
    page.evaluate(
        """data => {
          const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
          const given = new DataTransfer();
          given.items.add(new File([bytes], "cat.jpg", { type: "image/jpeg" }));
          const drop = new DragEvent("drop", { dataTransfer: given, bubbles: true });
          document.body.dispatchEvent(drop);
        }""",
        base64.b64encode(cat.read_bytes()).decode(),
    )
    expect(page.locator(".card")).to_have_count(5)


def test_several_pictures_give_a_table_and_a_bad_one_its_reason(
    visit: Visit, cat: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff broken")
    visitor = visit(PHONE)
    page = visitor.open("/")
    page.set_input_files("#files", [cat, broken])
    expect(page.locator(".answers tbody tr")).to_have_count(2)
    expect(page.locator(".answers tr", has_text="0000.jpg")).to_contain_text("cat")
    expect(page.locator(".answers tr", has_text="broken.jpg")).to_contain_text("image 0")
    expect(page.locator("#status")).to_contain_text("1 of 2")
    assert not is_too_wide(page)
    assert visitor.findings() == []


def test_it_is_used_by_keyboard(visit: Visit) -> None:
    page = visit().open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.sample"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(5)


def test_the_request_is_copied_and_does_the_same(visit: Visit, cat: Path) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"]).open("/")
    page.set_input_files("#files", cat)
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator(".snippets pre").inner_text()
    done = subprocess.run(copied, shell=True, cwd=cat.parent, capture_output=True, check=True)
    assert len(json.loads(done.stdout)["images"][0]["opinions"]) == 5


def test_without_scripts_the_page_is_as_before(visit: Visit) -> None:
    page = visit(java_script_enabled=False).open("/")
    expect(page.locator("#demo")).to_be_hidden()
    expect(page.get_by_text("curl --data-binary")).to_be_visible()


def test_a_picture_is_pasted(visit: Visit, cat: Path) -> None:
    page = visit().open("/")
    page.evaluate(
        """data => {
          const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
          const given = new DataTransfer();
          given.items.add(new File([bytes], "cat.jpg", { type: "image/jpeg" }));
          const paste = new ClipboardEvent("paste", { clipboardData: given, bubbles: true });
          document.body.dispatchEvent(paste);
        }""",
        base64.b64encode(cat.read_bytes()).decode(),
    )
    expect(page.locator(".card")).to_have_count(5)


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_it_shows_where_the_picture_lies_under_each_loss(
    visit: Visit, atlas: httpx.Client, cat: Path, size: tuple[int, int], scheme: str
) -> None:
    visitor = visit(size, scheme)
    page = visitor.open("/")
    page.set_input_files("#files", cat)
    expect(page.locator(".beside h3")).to_have_text("Nearest for arcface")
    image = {"Content-Type": "image/jpeg"}
    for loss in ("arcface", "center"):
        answer = atlas.post(f"/report/{loss}/position?k=5", content=cat.read_bytes(), headers=image)
        near = [one["id"] for one in answer.json()["positions"][0]["neighbors"]]
        expect(page.locator(".beside h3")).to_have_text(f"Nearest for {loss}")
        assert page.locator(".near-list small").all_inner_texts() == near
        slider = page.get_by_label("Move from loss to loss")
        slider.focus()
        for _ in range(50):  # steps of 0.02, by keyboard
            slider.press("ArrowRight")
    page.get_by_role("button", name="triplet", exact=True).click()
    expect(page.locator(".beside h3")).to_have_text("Nearest for triplet")
    kept = json.loads(page.evaluate("sessionStorage.getItem('lossatlas-star')"))
    assert kept["name"] == cat.name
    assert len(kept["places"]) == 5
    assert not is_too_wide(page)
    assert visitor.findings() == []
    page.get_by_role("link", name="See it on the large map").click()
    expect(page.locator(".star")).to_have_count(2)


def test_a_table_is_used_by_keyboard_and_copied(visit: Visit, cat: Path) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"]).open("/")
    page.set_input_files("#files", [cat, PHOTOS / "chelsea.png"])
    page.locator(".answers button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="chelsea.png")).to_be_focused()
    expect(page.locator(".card")).to_have_count(5)
    page.get_by_role("button", name="Copy as CSV").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    rows = list(csv.DictReader(page.evaluate("navigator.clipboard.readText()").splitlines()))
    assert [row["file"] for row in rows] == [cat.name, "chelsea.png"]
    assert [row["label"] for row in rows] == ["cat", "cat"]
    assert 0 < float(rows[0]["softmax_probability"]) <= 1
