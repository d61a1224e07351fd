import pytest

from models.evidence.confidence import Confidence
from models.report import Epoch, Figure
from service.http import reporting
from tests.bundles import Recipe, manifest
from tests.reports import least, report

REPORT = report("arcface")
MANIFEST = manifest("arcface", 3, Recipe())


def test_a_summary_is_the_reports_own() -> None:
    summary = reporting.summarize(REPORT, MANIFEST)
    assert summary.accuracy == REPORT.classification.accuracy
    assert summary.ece == REPORT.confidence.after.ece
    assert summary.eer == REPORT.verification.eer
    assert (summary.nll, summary.version) == (REPORT.confidence.after.nll, 3)
    assert summary.unknown_auroc == REPORT.unknowns.means[0].auroc
    assert summary.report == "/report/arcface"
    bare = reporting.summarize(least("arcface"), MANIFEST)
    assert (bare.unknown_auroc, bare.recall_at_1, bare.eer) == (None, None, None)


def test_the_unknowns_headline_is_of_the_served_scorer() -> None:
    rule = REPORT.unknowns.rule.model_copy(update={"scorer": "knn_distance", "k": 1})
    mean = reporting.rule_mean(REPORT.unknowns.model_copy(update={"rule": rule}))
    assert mean == REPORT.unknowns.means[2]


def test_a_threshold_is_chosen_on_the_calibration_split() -> None:
    answer = reporting.answer_threshold(REPORT, MANIFEST, 0.1)
    assert (answer.loss, answer.version, answer.max_error) == ("arcface", 3, 0.1)
    choice = answer.choice
    assert choice is not None
    good = [one.calibration for one in REPORT.confidence.selective.choices]
    kept = [one.coverage for one in good if one.error is not None and one.error <= 0.1]
    assert choice.calibration.coverage == max(kept)
    for number in ("0.51", "350 of 500", "704 of 1,000"):
        assert number in answer.sentence


def with_calibration_error(confidence: Confidence, error: float) -> Confidence:
    choice = confidence.selective.choices[0]
    poor = choice.calibration.model_copy(update={"error": error})
    choices = (choice.model_copy(update={"calibration": poor}),)
    return confidence.model_copy(
        update={"selective": confidence.selective.model_copy(update={"choices": choices})}
    )


def test_no_threshold_may_be_good_enough() -> None:
    poor = REPORT.model_copy(update={"confidence": with_calibration_error(REPORT.confidence, 0.3)})
    answer = reporting.answer_threshold(poor, MANIFEST, 0.1)
    assert answer.choice is None
    assert "the least that one reaches is 30.00" in answer.sentence
    nothing = reporting.answer_threshold(least("arcface"), MANIFEST, 0.1)
    assert (nothing.choice, "no calibration split" in nothing.sentence) == (None, True)


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("confusion-matrix", "classification"),
        ("most-confused", "classification"),
        ("reliability", "confidence"),
        ("risk-coverage", "confidence"),
        ("unknowns", "unknowns"),
        ("distances", "geometry"),
        ("verification", "retrieval"),
        ("feature-space", "feature-space"),
        ("plane", "feature-space"),
        ("learning-curve", "training"),
        ("whatever", "training"),
    ],
)
def test_a_figure_is_shown_where_its_name_says(name: str, section: str) -> None:
    figure = Figure(name=name, title="", caption="")
    found = reporting.figures_by_section((figure,))
    assert {key for key, figures in found.items() if figures} == {section}


def test_losses_compare_when_only_the_loss_differs() -> None:
    one = reporting.summarize(REPORT, MANIFEST)
    other = one.model_copy(update={"name": "softmax"})
    assert reporting.differences([]) == reporting.differences([one, other]) == []
    for field, told in (
        ("backbone", "backbone"),
        ("dataset_sha256", "images"),
        ("dimension", "embedding_size"),
    ):
        changed = other.model_copy(update={field: "another"})
        assert reporting.differences([one, changed]) == [told]


def test_a_recipe_that_differs_is_told_but_for_the_loss_and_its_parameters() -> None:
    summary = reporting.summarize(REPORT, MANIFEST)
    shared = {"loss": "arcface", "parameters": {"margin": 0.3}, "epochs": 50}
    one = summary.model_copy(update={"recipe": shared | {"weight_decay": 0.3}})
    other = summary.model_copy(
        update={"recipe": {"loss": "triplet", "parameters": {}, "epochs": 50, "batch_size": 320}}
    )
    assert reporting.differences([one, other]) == ["batch_size", "weight_decay"]


@pytest.mark.parametrize(
    ("accuracies", "points"),
    [
        ([0.5, 0.75, 1.0], "0.00,100.00 50.00,50.00 100.00,0.00"),
        ([0.5], "0.00,100.00"),
        ([0.5, 0.5], "0.00,100.00 100.00,100.00"),
    ],
)
def test_a_curve_fills_its_box(accuracies: list[float], points: str) -> None:
    curve = tuple(
        Epoch(epoch=i + 1, loss=1, tuning_accuracy=value, seconds=1, diagnostics={})
        for i, value in enumerate(accuracies)
    )
    assert reporting.accuracy_line(curve).points == points
