import shutil
from pathlib import Path

import pytest

from models.comparison import ComparisonReport
from models.errors import ComparisonDamaged
from models.store import Store
from service.registry.comparison import read_comparisons
from service.registry.errors import UnknownComparison, UnknownFigure
from tests.support.bundles import SVG
from tests.support.comparisons import comparison, swapped


@pytest.fixture
def store(tmp_path: Path) -> Store:
    figures = tmp_path / "drawn"
    figures.mkdir()
    (figures / "results.svg").write_bytes(SVG)
    store = Store(tmp_path / "registry")
    store.put_comparison(comparison(), figures)
    return store


def publish(store: Store, report: ComparisonReport) -> None:
    store.put_comparison(report, store.root.parent / "drawn")


def test_a_comparison_is_read_with_its_figures(store: Store) -> None:
    compared = read_comparisons(store).named(None)
    assert (compared.report, compared.damage) == (comparison(), None)
    assert compared.figure("results") == SVG
    with pytest.raises(UnknownFigure) as refused:
        compared.figure("nix")
    assert refused.value.available == ("results",)


def test_none_is_no_damage(tmp_path: Path) -> None:
    compared = read_comparisons(Store(tmp_path)).named(None)
    assert (compared.report, compared.damage, dict(compared.figures)) == (None, None, {})
    with pytest.raises(UnknownFigure):
        compared.figure("results")


def test_damage_is_kept_and_named(store: Store) -> None:
    (store.root / "comparison" / "comparison.json").write_text('{"losses": [')
    compared = read_comparisons(store).named(None)
    assert compared.report is None
    assert compared.damage is not None
    assert "comparison.json" in compared.damage
    with pytest.raises(ComparisonDamaged, match=r"comparison\.json"):
        compared.figure("results")


def test_named_ones_stand_beside_it_and_damage_to_one_hides_no_other(store: Store) -> None:
    for name in ("glyphs", "a-first"):
        publish(store, swapped(name, "cosface", "triplet"))
    (store.root / "comparisons" / "a-first" / "comparison.json").write_text("{")
    found = read_comparisons(store)
    assert list(found.by_name) == ["default", "a-first", "glyphs"]
    assert [one.name for one in found.reports] == ["default", "glyphs"]
    assert found.named(None).report == comparison()
    assert found.named("glyphs").report == swapped("glyphs", "cosface", "triplet")
    assert "comparison.json" in (found.named("a-first").damage or "")
    with pytest.raises(UnknownComparison) as refused:
        found.named("nix")
    assert refused.value.available == ("default", "a-first", "glyphs")


def test_where_all_have_names_a_converged_one_is_shown(store: Store) -> None:
    publish(store, swapped("long", "cosface", "triplet"))
    publish(store, swapped("short", "cosface", "triplet", converged=False))
    shutil.rmtree(store.root / "comparison")
    shown = read_comparisons(store).named(None).report
    assert shown is not None
    assert shown.name == "long"


def test_a_damaged_default_is_not_hidden_by_another(store: Store) -> None:
    publish(store, swapped("long", "cosface", "triplet"))
    (store.root / "comparison" / "comparison.json").write_text("{")
    assert read_comparisons(store).named(None).damage is not None
