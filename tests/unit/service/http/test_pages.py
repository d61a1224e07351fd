from html.parser import HTMLParser

from models.report import Report
from service.http.pages import Pages
from service.http.reporting import summarize
from service.http.schemas import ReportOverview
from tests.bundles import Recipe, manifest, report

MANIFEST = manifest("arcface", 3, Recipe())
VOID = {"meta", "link", "img", "br", "line", "polyline"}


class Balanced(HTMLParser):
    """Checks that every element is closed, and collects what the page would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        if tag not in VOID:
            self.open.append(tag)
        named = dict(attrs)
        wanted = named.get("src") or (named.get("href") if tag == "link" else None)
        self.fetched += [wanted] if wanted else []

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def page(shown: Report) -> str:
    return bytes(Pages().report(shown, MANIFEST).body).decode()


def test_the_page_shows_the_report() -> None:
    shown = report("arcface")
    html = page(shown)
    assert f"{100 * shown.accuracy:.2f}" in html
    assert "n = 1,000" in html
    for one in shown.classes:
        assert f"<td>{one.precision:.3f}</td><td>{one.recall:.3f}</td>" in html
    for n in shown.confusion.counts[2]:
        assert f">{n}</td>" in html
    assert "Errors against softmax" in html
    assert "<b>0.6100</b> to <b>0.5500</b>" in html
    assert shown.provenance.command in html
    assert Balanced(html).fetched == [
        "data:,",
        "/report/arcface/figures/confusion-matrix.svg?version=3",
    ]


def test_a_report_with_the_least_is_shown_too() -> None:
    least = report("softmax").model_copy(update={"learning_curve": (), "figures": ()})
    html = page(least)
    Balanced(html)
    assert "Errors against" not in html
    assert "Learning curve" not in html


def test_text_of_a_report_is_text() -> None:
    shown = report("arcface")
    label = "<script>alert(1)</script>"
    classes = (shown.classes[0].model_copy(update={"label": label}), *shown.classes[1:])
    html = page(shown.model_copy(update={"classes": classes}))
    Balanced(html)
    assert "&lt;script&gt;" in html


def test_the_overview_ranks_the_losses_and_says_when_they_do_not_compare() -> None:
    good = summarize(report("arcface"), MANIFEST)
    better = good.model_copy(update={"name": "cosface", "accuracy": 0.9})
    html = overview(good, better)
    Balanced(html)
    assert html.index(">cosface<") < html.index(">arcface<")
    assert "only the loss differs" in html
    other = better.model_copy(update={"dataset_sha256": "1" * 64})
    assert "More than the loss differs between these models: images." in overview(good, other)
    nothing = bytes(Pages().overview(ReportOverview(losses=[], unavailable=[])).body).decode()
    assert "No report can be shown yet" in nothing


def overview(*losses: object) -> str:
    shown = ReportOverview.model_validate({"losses": losses, "unavailable": []})
    return bytes(Pages().overview(shown).body).decode()
