"""The comparison's figures: every loss on every measure, and which differences count."""

from pathlib import Path

import pytest

from models.comparison import ComparisonReport
from models.report import Figure
from tests.support import drawn
from tests.support.comparisons import LOSSES, comparison
from training.evaluation.figures.bundle import draw_comparison
from training.evaluation.figures.comparison import difference_to, draw_differences

REPORT = comparison()
_HOLLOW, _FILLED = "fill: #ffffff; stroke: #cc6677", "fill: #cc6677; stroke: #cc6677"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def figures(folder: Path) -> tuple[Figure, ...]:
    return draw_comparison(REPORT, folder)


def test_there_are_three(figures: tuple[Figure, ...], folder: Path) -> None:
    names = ["comparison-measures", "comparison-differences", "comparison-head-swap"]
    assert [figure.name for figure in figures] == names
    for figure in figures:
        path = folder / f"{figure.name}.svg"
        assert path.stat().st_size < 300_000
        assert drawn.smallest_font_px(path) >= 9
        assert "5" in drawn.title(path)
        assert "5 seeds" in figure.caption


def test_every_measure_has_a_panel_with_its_direction(
    figures: tuple[Figure, ...], folder: Path
) -> None:
    found = drawn.words(folder / "comparison-measures.svg")
    for title in ("Test accuracy (%)", "MAP@R (%)", "Equal error rate (%)", "AUROC of unknowns"):
        assert title in found
    assert found.count("→ better") == 3
    assert found.count("← better") == 3
    assert "n = 5 seeds a loss, 1,000 test images" in found


def test_losses_are_listed_from_the_simplest_down(
    figures: tuple[Figure, ...], folder: Path
) -> None:
    one = REPORT.model_copy(update={"measures": REPORT.measures[:1]})
    path = folder / "one" / "measure.svg"
    draw_differences(one, path)
    places = [drawn.place(path, loss)[1] for loss in LOSSES if loss != "softmax"]
    assert places == sorted(places)
    assert "softmax" not in drawn.words(path)


def test_only_significant_differences_are_filled(figures: tuple[Figure, ...], folder: Path) -> None:
    tested = [each for each in REPORT.differences if "softmax" in (each.first, each.second)]
    text = (folder / "comparison-differences.svg").read_text()
    significant = sum(each.significant for each in tested)
    assert 0 < significant < len(tested)
    # the marker's definition comes once more for each
    assert text.count(_FILLED) >= significant
    assert text.count(_HOLLOW) >= len(tested) - significant
    everything = [each.model_copy(update={"p_adjusted": 1.0}) for each in REPORT.differences]
    path = folder / "none" / "differences.svg"
    draw_differences(REPORT.model_copy(update={"differences": tuple(everything)}), path)
    assert _HOLLOW in path.read_text()
    assert path.read_text().count(_FILLED) < text.count(_FILLED)


def test_a_difference_is_the_loss_less_the_baseline_whichever_way_round() -> None:
    given = next(each for each in REPORT.differences if each.second == "softmax")
    turned = given.model_copy(
        update={
            "first": given.second,
            "second": given.first,
            "difference": given.difference.model_copy(
                update={
                    "value": -given.difference.value,
                    "low": -given.difference.high,
                    "high": -given.difference.low,
                }
            ),
        }
    )
    for each in (given, turned):
        report = REPORT.model_copy(update={"differences": (each,)})
        found = difference_to(report, given.first, given.measure)
        assert found is not None
        assert found[0] == given.difference
        assert difference_to(report, given.first, "another") is None


def test_the_head_swap_prints_mean_and_interval(figures: tuple[Figure, ...], folder: Path) -> None:
    found = drawn.words(folder / "comparison-head-swap.svg")
    for swap in REPORT.head_swap:
        assert f"{100 * swap.accuracy.value:.1f} %" in found
    assert found.count("own head") == 1
    assert {"nearest class mean", "k-NN", "linear probe", *LOSSES} <= set(found)
    place, other = (
        drawn.place(folder / "comparison-head-swap.svg", word) for word in ("softmax", "arcface")
    )
    assert place[1] < other[1]


def test_a_comparison_without_swaps_has_no_matrix(tmp_path: Path) -> None:
    report: ComparisonReport = REPORT.model_copy(
        update={"head_swap": (), "measures": REPORT.measures[:1]}
    )
    assert [figure.name for figure in draw_comparison(report, tmp_path)] == [
        "comparison-measures",
        "comparison-differences",
    ]
