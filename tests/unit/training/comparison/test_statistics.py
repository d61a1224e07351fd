"""Means and tests, against other libraries."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from training.comparison.cochran import LEAST_P, DegreesOfFreedom, critical, p_values
from training.comparison.image_variance import BoundedVariance, ImageVariances
from training.comparison.statistics import Spread, differences, mean_over_seeds, results_of
from training.evaluation.significance import holm

SOFTMAX = np.array([0.70, 0.72, 0.71, 0.73, 0.69])
ARCFACE = SOFTMAX + np.array([0.02, 0.03, 0.01, 0.02, 0.03])
TRIPLET = np.array([0.71, 0.70, 0.72, 0.71, 0.70])
BY_LOSS = {"softmax": SOFTMAX, "arcface": ARCFACE, "triplet": TRIPLET}
IMAGES = BoundedVariance(dict.fromkeys(BY_LOSS, 0.002**2), 10_000)


def test_the_interval_over_seeds_is_students() -> None:
    found = mean_over_seeds(SOFTMAX)
    expected = stats.t.interval(0.95, 4, SOFTMAX.mean(), stats.sem(SOFTMAX))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.value == pytest.approx(SOFTMAX.mean())


def test_an_interval_with_the_images_is_wider_and_ends_where_the_measure_does() -> None:
    seeds, both = mean_over_seeds(SOFTMAX), results_of("accuracy", BY_LOSS, IMAGES)[0].mean
    assert both.low < seeds.low < seeds.high < both.high
    high = np.array([0.99, 1.0])
    assert mean_over_seeds(high, None, (0.0, 1.0)).high == 1.0


def test_differences_are_paired_by_seed() -> None:
    found = {(row.first, row.second): row for row in differences("accuracy", BY_LOSS)}
    assert set(found) == {
        ("softmax", "arcface"),
        ("softmax", "triplet"),
        ("arcface", "triplet"),
    }
    row = found["softmax", "arcface"]
    assert row.p_value == pytest.approx(stats.ttest_rel(SOFTMAX, ARCFACE).pvalue, rel=1e-4)
    assert row.difference.value == pytest.approx(-0.022)
    assert row.p_adjusted == pytest.approx(3 * row.p_value)  # the least of three
    assert row.significant
    assert row.image_sd is None
    assert not found["softmax", "triplet"].significant


def test_images_add_to_what_the_seeds_show() -> None:
    alone, both = differences("accuracy", BY_LOSS)[0], differences("accuracy", BY_LOSS, IMAGES)[0]
    assert both.image_sd == pytest.approx(0.002 * 2**0.5)
    assert both.p_value > alone.p_value
    assert alone.detectable is not None
    assert both.detectable is not None
    assert both.detectable > alone.detectable


def test_holm_is_the_librarys_step_down() -> None:
    rows = np.random.default_rng(0).uniform(0, 0.1, size=(5, 10))
    expected = [multipletests(row, method="holm")[1] for row in rows]
    assert holm(rows) == pytest.approx(np.array(expected))
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_p_value_is_the_level_at_which_the_difference_is_critical(share: float) -> None:
    freedom = DegreesOfFreedom(seeds=2, images=99)
    sizes, shares = np.array([0.1, 1.0, 2.5, 4.0, 30.0]), np.full(5, share)
    for size, p in zip(sizes, p_values(sizes, shares, freedom), strict=True):
        if p > 1e-11:
            assert critical(np.array([share]), freedom, float(p)) == pytest.approx(size, rel=1e-3)
    assert p_values(np.array([0.0]), np.array([share]), freedom)[0] == 1
    assert p_values(np.array([1e9]), np.array([0.0]), freedom)[0] == pytest.approx(LEAST_P)


def test_gaps_that_never_vary_prove_nothing() -> None:
    same = differences("accuracy", {"a": SOFTMAX, "b": SOFTMAX.copy()})[0]
    assert (same.p_value, same.detectable) == (1.0, None)
    apart = differences("accuracy", {"a": np.array([0.5, 0.5]), "b": np.array([0.25, 0.25])})[0]
    assert (apart.p_value, apart.detectable) == (1.0, None)


def test_each_seed_shows_no_less_than_its_own_images_must() -> None:
    """Two seeds with equal gaps that erred on other images: the gaps were equal by chance."""
    equal = np.array([0.1, 0.1])
    images = ImageVariances(shared=1e-6, own=0.03**2, freedom=99)
    assert Spread.of(equal, images).seeds == pytest.approx(0.03**2)
    assert Spread.of(equal, images).p_value(0.1) > 0.05
