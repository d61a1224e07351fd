import re
from html.parser import HTMLParser
from typing import Any

import pytest

from models.comparison import ComparisonReport
from models.report import Report
from service.http.pages import report_view
from service.http.pages.pages import Pages
from service.http.responses.schemas import LossSummary, ReportOverview
from tests.support.bundles import Recipe, manifest
from tests.support.comparisons import comparison
from tests.support.leaves import Path, is_shown, leaves, scrambled
from tests.support.reports import least, report

MANIFEST = manifest("arcface", 3, Recipe())
VOID = {"meta", "link", "img", "br", "line", "polyline", "input"}
PARTS = {  # of the report, by the section that shows them
    "classification": ("classification",),
    "confidence": ("confidence",),
    "robustness": ("robustness",),
    "precision": ("precisions",),
    "leaks": ("leaks",),
    "unknowns": ("unknowns",),
    "geometry": ("geometry",),
    "retrieval": ("retrieval", "verification"),
    "pairs": ("pairs",),
    "transfer": ("transfer",),
    "feature-space": ("feature_space",),
    "cost": ("cost",),
    "training": ("learning_curve", "findings"),
    "provenance": ("provenance",),
}
DRAWN = {"edges", "counts", "curve", "choices", "roc", "map"}  # shown by figures
RETOLD = {  # in other words, or as a date or a time
    "schema_version", "chosen_by", "evaluated", "score", "training_seconds", "severity", "measure",
    "method", "primary", "secondary", "change",
}  # fmt: skip


class Balanced(HTMLParser):
    """Checks that every element is closed, and collects what the page would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "style" not in dict(attrs), "the policy forbids it"
        if tag not in VOID:
            self.open.append(tag)
        named = dict(attrs)
        wanted = named.get("src") or (named.get("href") if tag == "link" else None)
        self.fetched += [wanted] if wanted else []

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def page(shown: Report, max_error: float | None = None) -> str:
    asked = None if max_error is None else report_view.answer_threshold(shown, MANIFEST, max_error)
    html = bytes(Pages().report(shown, MANIFEST, asked).body).decode()
    Balanced(html)
    return html


def section(html: str, anchor: str) -> str:
    return html.split(f'<section id="{anchor}">')[1].split("</section>")[0]


def appears(path: Path) -> bool:
    in_caption = path[0] == "robustness" and path[-1] == "n"  # alike in all rows
    named = path[-1] in RETOLD or path == ("measures", "name")
    return not (in_caption or named or DRAWN & set(path[1:]))


def test_every_part_of_a_report_has_its_section() -> None:
    about = {"schema_version", "name", "loss", "figures"}
    assert {part for parts in PARTS.values() for part in parts} == set(Report.model_fields) - about
    assert list(PARTS) == list(report_view.SECTIONS)


@pytest.mark.parametrize("anchor", PARTS)
def test_a_section_shows_everything_that_the_json_says(anchor: str) -> None:
    """Every number and text, each different; the confusion matrix is distinguished below."""
    shown = scrambled(report("arcface"))
    text = section(page(shown), anchor)
    found = [
        leaf
        for part in PARTS[anchor]
        for leaf in leaves(shown.model_dump(mode="json")[part], (part,))
        if appears(leaf[0])
    ]
    assert len(found) > 5
    assert [(path, value) for path, value in found if not is_shown(value, text)] == []


def test_the_confusion_matrix_is_shown_in_counts_and_rates() -> None:
    shown = scrambled(report("arcface"))
    text = section(page(shown), "classification")
    confusion = shown.classification.confusion
    assert confusion is not None
    for counts, rates in zip(confusion.counts, confusion.rates, strict=True):
        for count, rate in zip(counts, rates, strict=True):
            assert f">{count:,}<small>{100 * rate:.2f}</small></td>" in text


def test_the_summary_answers_in_plain_words() -> None:
    shown = report("arcface")
    box = page(shown).split('class="claims"')[1].split("</section>")[0]
    found = shown.classification.accuracy
    statement = next(
        one for one in shown.confidence.selective.statements if one.target_coverage == 0.95
    )
    for value in (found.value, found.low, found.high, statement.upper,
                  shown.confidence.before.ece.value, shown.confidence.after.ece.value,
                  shown.confidence.after.ece.low, shown.confidence.after.ece.high):  # fmt: skip
        assert f"{100 * value:.2f}" in box
    assert "AUROC 0.800" in box
    assert "Recall@1 77.12" in box
    assert "No detectable difference" in box
    assert "p = 0.3951" in box


def test_a_report_with_the_least_is_shown_too() -> None:
    html = page(least("arcface"), max_error=0.1)
    assert "None" not in html
    for anchor in PARTS:
        assert "<h2>" in section(html, anchor)
    assert "There are fewer than 4 classes." in section(html, "classification")
    assert "more than 500 classes" in section(html, "classification")
    assert "no calibration split" in section(html, "confidence")
    assert "trained without some of the classes" in section(html, "unknowns")
    assert section(html, "geometry").count("not defined") >= 4 + 3 + 6 + 11
    assert "another one of its class" in section(html, "retrieval")
    assert "No learning curve" in section(html, "training")


def test_a_matrix_of_many_classes_is_left_to_the_json() -> None:
    whole = report("arcface").model_dump()
    whole["classification"]["confusion"] = {
        "labels": [f"class {i}" for i in range(60)],
        "counts": [[1] * 60] * 60,
        "rates": [[1 / 60] * 60] * 60,
    }
    assert "Too wide for a page with 60 classes" in page(Report.model_validate(whole))


def test_figures_stand_in_their_sections() -> None:
    whole = report("arcface").model_dump()
    names = ("reliability", "confusion-matrix", "feature-space", "something")
    whole["figures"] = [{"name": name, "title": name, "caption": ""} for name in names]
    html = page(Report.model_validate(whole))
    assert "/figures/reliability.svg" in section(html, "confidence")
    assert "/figures/feature-space.svg" in section(html, "feature-space")
    assert "/figures/confusion-matrix.svg" in section(html, "classification")
    assert "/figures/something.svg" in section(html, "training")
    styles = 3  # and a script
    assert len(Balanced(html).fetched) == 1 + styles + len(names)


def test_the_threshold_that_was_asked_for_is_answered() -> None:
    shown = report("arcface")
    answered = section(page(shown, max_error=0.1), "confidence")
    assert 'name="max_error" min="0" max="1" step="any" required value="0.1"' in answered
    sentence = report_view.answer_threshold(shown, MANIFEST, 0.1).sentence
    assert sentence.replace(" %", "\N{NARROW NO-BREAK SPACE}%") in answered
    assert 'class="answer"' not in page(shown)


HOSTILE = "<script>alert('x')</script>\"&"


def hostile(node: Any) -> Any:
    """Every label becomes an attack, and every sentence."""
    if isinstance(node, dict):
        kept = ("name", "schema_version", "severity", "scorer", "chosen_by", "metric", "score",
                "sha256", "evaluated", "goal", "reader", "loss", "measure", "baseline",
                "method", "interval", "image_variance", "secondary_to", "primary",
                "secondary", "split", "other", "runs", "precision", "kind")  # fmt: skip
        return {key: value if key in kept else hostile(value) for key, value in node.items()}
    if isinstance(node, list):
        return [hostile(value) for value in node]
    return HOSTILE if isinstance(node, str) else node


def test_text_of_a_report_is_text() -> None:
    html = page(Report.model_validate(hostile(report("arcface").model_dump(mode="json"))))
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") > 50


def test_text_of_a_comparison_is_text() -> None:
    dumped = hostile({**comparison().model_dump(mode="json"), "losses": []})
    html = overview(ComparisonReport.model_validate(dumped))
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") > 10


def overview(
    compared: ComparisonReport | None, *losses: LossSummary, damage: str | None = None
) -> str:
    shown = ReportOverview(
        comparison=compared, comparison_damage=damage, losses=list(losses), unavailable=[]
    )
    html = bytes(Pages().overview(shown).body).decode()
    Balanced(html)
    return html


def test_the_overview_shows_everything_that_the_comparison_says() -> None:
    shown = scrambled(comparison())
    html = overview(shown)
    found = [leaf for leaf in leaves(shown.model_dump(mode="json")) if appears(leaf[0])]
    assert len(found) > 500
    assert [(path, value) for path, value in found if not is_shown(value, html)] == []


def test_the_overview_begins_with_the_verdicts() -> None:
    shown = comparison()
    html = overview(shown)
    assert "To retrieve: <b>cosface</b>" in html
    assert "Undecided: classify, verify, reject unknowns, be calibrated." in html
    for verdict in shown.verdicts:
        assert html.index(verdict.sentence) < html.index('id="results"')
    assert html.count('<span class="mark">best mean: ') == sum(one.tie for one in shown.verdicts)
    assert "Disagrees." in html
    assert "triplet still gained" in html
    for name, place in (
        ("comparison-measures", "results"),
        ("comparison-differences", "differences"),
        ("comparison-head-swap", "heads"),
        ("results", "figures"),
    ):
        assert f'<img src="/report/figures/{name}.svg"' in section(html, place)
        assert html.count(f'<img src="/report/figures/{name}.svg"') == 1


def test_few_test_images_are_said_to_leave_intervals_too_narrow() -> None:
    shown = comparison()
    few = shown.dataset.model_copy(update={"test": 99})
    warning = "intervals of NLL are too narrow"
    assert warning not in overview(shown)
    assert warning in overview(shown.model_copy(update={"dataset": few}))


def test_the_best_and_those_tied_with_it_are_marked_with_words() -> None:
    results = section(overview(comparison()), "results")
    row = re.split(r"<tr>", results)[2]
    assert row.startswith('<th scope="row"><span title="What Test accuracy says')
    cells = row.split("<td ")[1:]
    assert [re.findall(r'mark \w*">(\w+)<', cell) for cell in cells] == [
        ["tied"], ["tied"], ["tied"], [], [],
    ]  # fmt: skip
    assert "80.43 ± 0.41" in cells[1]


def test_differences_to_the_baseline_say_what_could_be_detected() -> None:
    row = re.split(r"<tr>", section(overview(comparison()), "differences"))[2]
    triplet = row.split("<td>")[-1]
    assert "\N{MINUS SIGN}5.00<" in triplet
    assert "\N{MINUS SIGN}5.41 to \N{MINUS SIGN}4.59" in triplet
    assert "p = 0.0016</small><small>detectable 0.61<" in triplet
    assert "▼ worse" in triplet
    assert row.count("not distinguished") == 3


def test_without_a_comparison_the_overview_ranks_nothing() -> None:
    good = report_view.summarize(report("arcface"), MANIFEST)
    html = overview(None, good)
    assert "nothing here can rank them" in html
    assert "one run" in html
    assert f"{100 * good.accuracy.value:.2f}" in html
    assert "mark best" not in html


def test_a_damaged_comparison_is_named_and_the_rest_is_shown() -> None:
    html = overview(None, report_view.summarize(report("arcface"), MANIFEST), damage="cut <short>")
    assert "cut &lt;short&gt;" in html
    assert "/report/arcface" in html


def test_the_published_models_say_when_more_than_the_loss_differs() -> None:
    good = report_view.summarize(report("arcface"), MANIFEST)
    other = good.model_copy(update={"name": "cosface"})
    assert "only the loss differs" in overview(None, good, other)
    changed = other.model_copy(update={"dataset_sha256": "1" * 64})
    assert "More than the loss differs between these models: images." in overview(
        None, good, changed
    )
    assert "No report can be shown yet" in overview(None)
