from pathlib import Path

import pytest

from models.errors import ComparisonDamaged
from models.store import Store
from service.errors import UnknownFigure
from service.registry.comparison import read_compared
from tests.support.bundles import SVG
from tests.support.comparisons import comparison


@pytest.fixture
def store(tmp_path: Path) -> Store:
    figures = tmp_path / "drawn"
    figures.mkdir()
    (figures / "results.svg").write_bytes(SVG)
    store = Store(tmp_path / "registry")
    store.put_comparison(comparison(), figures)
    return store


def test_a_comparison_is_read_with_its_figures(store: Store) -> None:
    compared = read_compared(store)
    assert (compared.report, compared.damage) == (comparison(), None)
    assert compared.figure("results") == SVG
    with pytest.raises(UnknownFigure) as refused:
        compared.figure("nix")
    assert refused.value.available == ("results",)


def test_none_is_no_damage(tmp_path: Path) -> None:
    compared = read_compared(Store(tmp_path))
    assert (compared.report, compared.damage, dict(compared.figures)) == (None, None, {})
    with pytest.raises(UnknownFigure):
        compared.figure("results")


def test_damage_is_kept_and_named(store: Store) -> None:
    (store.root / "comparison" / "comparison.json").write_text('{"losses": [')
    compared = read_compared(store)
    assert compared.report is None
    assert compared.damage is not None
    assert "comparison.json" in compared.damage
    with pytest.raises(ComparisonDamaged, match=r"comparison\.json"):
        compared.figure("results")
