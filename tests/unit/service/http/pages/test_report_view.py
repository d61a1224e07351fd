import pytest

from models.evidence.baseline import Majority
from models.evidence.estimate import Estimate
from models.evidence.selective import Accepted, Choice
from models.report import Epoch, Figure, Report
from service.http.pages import report_view
from service.http.responses.schemas import LossSummary
from tests.support.bundles import Recipe, manifest
from tests.support.reports import least, report

REPORT = report("arcface")
MANIFEST = manifest("arcface", 3, Recipe())


def test_a_summary_is_the_reports_own() -> None:
    summary = report_view.summarize(REPORT, MANIFEST)
    assert summary.accuracy == REPORT.classification.accuracy
    assert summary.ece == REPORT.confidence.after.ece
    assert summary.eer == REPORT.verification.eer
    assert (summary.nll, summary.version) == (REPORT.confidence.after.nll, 3)
    assert summary.unknown_auroc == REPORT.unknowns.means[0].auroc
    assert summary.report == "/report/arcface"
    bare = report_view.summarize(least("arcface"), MANIFEST)
    assert (bare.unknown_auroc, bare.recall_at_1, bare.eer) == (None, None, None)


def test_a_summary_says_what_an_accuracy_has_to_beat() -> None:
    baseline = Majority(label="cat", accuracy=0.88)
    found = REPORT.classification.model_copy(update={"majority": baseline})
    named = report_view.summarize(REPORT.model_copy(update={"classification": found}), MANIFEST)
    assert named.majority == baseline
    silent = found.model_copy(update={"majority": None})
    old = report_view.summarize(REPORT.model_copy(update={"classification": silent}), MANIFEST)
    assert old.majority is None


def test_the_unknowns_headline_is_of_the_served_scorer() -> None:
    rule = REPORT.unknowns.rule.model_copy(update={"scorer": "knn_distance", "k": 1})
    mean = report_view.rule_mean(REPORT.unknowns.model_copy(update={"rule": rule}))
    assert mean == REPORT.unknowns.means[2]


def summary(name: str, recall: float, precision: float) -> LossSummary:
    found = report_view.summarize(REPORT, MANIFEST)
    one, other = (Estimate(value=each, low=0, high=1) for each in (recall, precision))
    return found.model_copy(update={"name": name, "recall_at_1": one, "map_at_r": other})


def test_measures_of_one_thing_that_disagree_are_named() -> None:
    assert report_view.disagreements([]) == []
    agreeing = [summary("softmax", 0.9, 0.8), summary("triplet", 0.8, 0.7)]
    assert report_view.disagreements(agreeing) == []
    (found,) = report_view.disagreements([agreeing[0], summary("triplet", 0.8, 0.9)])
    for word in ("softmax", "Recall@1", "triplet", "MAP@R"):
        assert word in found


def with_calibration(shown: Report, **changed: object) -> Report:
    confidence = shown.confidence
    fitted = confidence.calibration.model_copy(update=changed)
    return shown.model_copy(
        update={"confidence": confidence.model_copy(update={"calibration": fitted})}
    )


def test_a_threshold_is_held_by_the_calibration_split() -> None:
    answer = report_view.answer_threshold(REPORT, MANIFEST, 0.1)
    assert (answer.loss, answer.version, answer.max_error) == ("arcface", 3, 0.1)
    choice, bound = answer.choice, answer.bound
    assert choice is not None
    assert bound is not None
    good = [one.calibration for one in REPORT.confidence.selective.choices]
    tempting = max(one.coverage for one in good if one.error is not None and one.error <= 0.1)
    assert choice.calibration.coverage < tempting
    assert choice.calibration.upper <= bound <= 0.1
    assert (answer.confidence, answer.bound_from) == (0.95, "calibration")
    kept = choice.calibration.n, choice.test.n
    for number in (f"{100 * bound:.2f}", f"{kept[0]:,} of 500", f"{kept[1]:,} of 1,000"):
        assert number in answer.sentence


def test_a_split_that_chose_something_bounds_nothing() -> None:
    read = with_calibration(REPORT, also_read_for="choosing the trunk")
    answer = report_view.answer_threshold(read, MANIFEST, 0.1)
    assert answer.choice is not None
    assert answer.bound is not None
    assert answer.choice.test.upper <= answer.bound <= 0.1
    assert answer.bound_from == "test"
    assert "choosing the trunk" in answer.sentence


@pytest.mark.parametrize("max_error", [0.0, 0.001])
def test_a_split_can_be_too_small_for_what_is_asked(max_error: float) -> None:
    answer = report_view.answer_threshold(REPORT, MANIFEST, max_error)
    assert (answer.choice, answer.bound) == (None, None)
    assert "too few to say" in answer.sentence


def test_no_threshold_may_be_good_enough() -> None:
    poor = [
        Choice(calibration=wrong(one.calibration), test=one.test)
        for one in REPORT.confidence.selective.choices
    ]
    selective = REPORT.confidence.selective.model_copy(update={"choices": tuple(poor)})
    confidence = REPORT.confidence.model_copy(update={"selective": selective})
    shown = REPORT.model_copy(update={"confidence": confidence})
    answer = report_view.answer_threshold(shown, MANIFEST, 0.1)
    assert (answer.choice, answer.bound) == (None, None)
    assert "too many errors" in answer.sentence
    nothing = report_view.answer_threshold(least("arcface"), MANIFEST, 0.1)
    assert (nothing.choice, "no calibration split" in nothing.sentence) == (None, True)


def wrong(one: Accepted) -> Accepted:
    return one.model_copy(update={"errors": one.n // 2, "error": 0.5})


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
    found = report_view.figures_by_section((figure,))
    assert {key for key, figures in found.items() if figures} == {section}


def test_losses_compare_when_only_the_loss_differs() -> None:
    one = report_view.summarize(REPORT, MANIFEST)
    other = one.model_copy(update={"name": "softmax"})
    assert report_view.differences([]) == report_view.differences([one, other]) == []
    for field, named in (
        ("backbone", "backbone"),
        ("dataset_sha256", "images"),
        ("dimension", "embedding_size"),
    ):
        changed = other.model_copy(update={field: "another"})
        assert report_view.differences([one, changed]) == [named]


def test_a_recipe_that_differs_is_reported_but_for_the_loss_and_its_parameters() -> None:
    summary = report_view.summarize(REPORT, MANIFEST)
    shared = {"loss": "arcface", "parameters": {"margin": 0.3}, "epochs": 50}
    one = summary.model_copy(update={"recipe": shared | {"weight_decay": 0.3}})
    other = summary.model_copy(
        update={"recipe": {"loss": "triplet", "parameters": {}, "epochs": 50, "batch_size": 320}}
    )
    assert report_view.differences([one, other]) == ["batch_size", "weight_decay"]


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
    assert report_view.accuracy_line(curve).points == points
