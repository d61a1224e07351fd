"""Comparisons of several names, beside each other in one registry."""

from pathlib import Path

import pytest

from models.comparison import ComparisonReport
from models.errors import ComparisonDamaged
from models.store import Store
from tests.support.bundles import SVG
from tests.support.comparisons import comparison, swapped


@pytest.fixture
def figures(tmp_path: Path) -> Path:
    folder = tmp_path / "drawn"
    folder.mkdir()
    (folder / "results.svg").write_bytes(SVG)
    return folder


@pytest.fixture
def store(tmp_path: Path, figures: Path) -> Store:
    """With the default comparison and two that have names."""
    store = Store(tmp_path / "registry")
    for report in (comparison(), named("glyphs"), named("airbench")):
        store.put_comparison(report, figures)
    return store


def named(name: str) -> ComparisonReport:
    return swapped(name, "cosface", "triplet")


def test_each_comes_back_by_its_name(store: Store) -> None:
    assert store.comparison_names() == ("default", "airbench", "glyphs")
    assert store.comparison() == comparison()
    assert store.comparison("glyphs") == named("glyphs")
    assert list(store.comparison_figures("glyphs")) == ["results"]
    assert store.comparison("nix") is None
    assert store.names() == ()


def test_publishing_one_anew_leaves_the_others(store: Store, figures: Path) -> None:
    store.put_comparison(named("glyphs").model_copy(update={"hardware": "another"}), figures)
    store.put_comparison(comparison().model_copy(update={"hardware": "a third"}), figures)
    machines = []
    for name in store.comparison_names():
        report = store.comparison(name)
        assert report is not None
        machines.append(report.hardware)
    assert machines == ["a third", "two cores", "another"]


def test_a_file_in_the_place_of_another_is_damage(store: Store) -> None:
    home = store.root / "comparisons"
    (home / "glyphs").rename(home / "moved")
    with pytest.raises(ComparisonDamaged, match="its name must be 'moved'"):
        store.comparison("moved")


def test_what_cannot_be_a_name_is_not_published(tmp_path: Path, figures: Path) -> None:
    store = Store(tmp_path / "empty")
    with pytest.raises(ValueError, match="name"):
        store.put_comparison(comparison().model_copy(update={"name": "../out"}), figures)
    assert store.comparison_names() == ()
    assert not (tmp_path / "out").exists()


def test_a_comparison_from_before_there_were_names_is_the_default_one() -> None:
    whole = comparison().model_dump(mode="json")
    for added in ("name", "further"):
        del whole[added]
    assert ComparisonReport.model_validate(whole) == comparison()


def test_runs_are_counted_with_those_that_leave_classes_out() -> None:
    report = named("glyphs")
    assert (report.runs, report.converged_runs, report.has_converged) == (50, 50, True)
    short = swapped("short", "cosface", "triplet", converged=False)
    assert (short.converged_runs, short.has_converged) == (0, False)
    unrecorded = report.model_copy(update={"convergence": ()})
    assert (unrecorded.converged_runs, unrecorded.has_converged) == (None, False)


def test_one_loss_that_still_gained_is_enough() -> None:
    report = named("glyphs")
    first, *others = report.convergence
    mixed = report.model_copy(
        update={"convergence": (first.model_copy(update={"converged": False}), *others)}
    )
    assert (mixed.converged_runs, mixed.has_converged) == (45, False)
