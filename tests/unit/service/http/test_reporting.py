import math

import pytest

from models.report import Epoch
from service.http import reporting
from tests.bundles import Recipe, manifest, report

REPORT = report("arcface")


def test_averages_are_over_classes_without_weights() -> None:
    summary = reporting.summarize(REPORT, manifest("arcface", 3, Recipe()))
    assert math.isclose(summary.macro_f1, sum(one.f1 for one in REPORT.classes) / 10)
    assert math.isclose(summary.macro_recall, REPORT.accuracy)  # classes of the same size
    assert summary.report == "/report/arcface"
    assert summary.f1["cat"] == REPORT.classes[2].f1


@pytest.mark.parametrize(
    ("accuracy", "n", "low", "high"),
    [  # by hand from Wilson's formula; the first is the textbook's 95 % interval of 81 in 263
        (81 / 263, 263, 0.2553, 0.3662),
        (0.8, 10_000, 0.7920, 0.8077),
        (1.0, 10, 0.7225, 1.0),
        (0.0, 10, 0.0, 0.2775),
    ],
)
def test_the_interval_is_wilsons(accuracy: float, n: int, low: float, high: float) -> None:
    assert reporting.interval(accuracy, n) == pytest.approx((low, high), abs=1e-4)


def test_mistakes_are_the_largest_counts_off_the_diagonal() -> None:
    worst = reporting.mistakes(REPORT, 3)
    off = [n for i, row in enumerate(REPORT.confusion.counts) for j, n in enumerate(row) if i != j]
    assert (worst[0].actual, worst[0].predicted) == ("cat", "dog")
    assert [one.count for one in worst] == sorted(off, reverse=True)[:3]


def test_losses_compare_when_only_the_loss_differs() -> None:
    one = reporting.summarize(REPORT, manifest("arcface", 1, Recipe()))
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
    summary = reporting.summarize(REPORT, manifest("arcface", 1, Recipe()))
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
