"""Intervals and tests against closed forms and a bootstrap that really draws images."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest, chi2

from training.evaluate.significance import holm, mcnemar, paired_difference, share


@pytest.mark.parametrize(("right", "n"), [(93, 100), (1, 20), (9_312, 10_000), (500, 1_000)])
def test_the_interval_of_a_share_is_the_binomials(right: int, n: int) -> None:
    found = share(np.arange(n) < right)
    low, high = binom.ppf((0.025, 0.975), n, right / n) / n
    assert found.value == right / n
    assert found.low == pytest.approx(low, abs=1.01 / n + 3e-4)
    assert found.high == pytest.approx(high, abs=1.01 / n + 3e-4)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("all_right", [True, False])
def test_a_share_of_all_or_nothing_has_no_width(all_right: bool) -> None:
    found = share(np.full(30, all_right))
    assert found.low == found.value == found.high == float(all_right)


@pytest.mark.parametrize("seed", range(4))
def test_the_interval_of_a_difference_is_that_of_drawing_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    own = random.random(300) < 0.8
    baseline = np.where(random.random(300) < 0.9, own, random.random(300) < 0.5)
    found = paired_difference(own, baseline)
    rows = random.integers(300, size=(10_000, 300))
    drawn = own[rows].mean(axis=1) - baseline[rows].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    assert found.value == pytest.approx(own.mean() - baseline.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=2.01 / 300)


@pytest.mark.parametrize(("wins", "losses"), [(0, 1), (7, 3), (12, 12), (24, 0), (3, 20)])
def test_few_discordant_images_are_a_binomial_test(wins: int, losses: int) -> None:
    found = mcnemar(wins, losses)
    assert (found.only_own_right, found.only_baseline_right) == (wins, losses)
    assert found.exact
    assert found.statistic == min(wins, losses)
    assert found.p_value == pytest.approx(binomtest(wins, wins + losses).pvalue)


@pytest.mark.parametrize(("wins", "losses"), [(25, 0), (12, 13), (300, 240), (61, 60)])
def test_many_are_a_chi_square_with_continuity_correction(wins: int, losses: int) -> None:
    found = mcnemar(wins, losses)
    statistic = (abs(wins - losses) - 1) ** 2 / (wins + losses)
    assert not found.exact
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(chi2.sf(statistic, 1))


def test_models_that_never_differ_are_not_told_apart() -> None:
    assert mcnemar(0, 0).p_value == 1


@pytest.mark.parametrize("seed", range(3))
def test_holm_multiplies_by_the_tests_that_are_left(seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 40, (8, 2))
    tests = [mcnemar(*pair) for pair in counts.tolist()]
    highest = 0.0
    adjusted = holm(tests)
    for rank, row in enumerate(sorted(range(8), key=lambda row: tests[row].p_value)):
        highest = max(highest, min(1.0, (8 - rank) * tests[row].p_value))
        assert adjusted[row].p_adjusted == pytest.approx(highest)
        assert adjusted[row].p_value == tests[row].p_value


def test_holm_of_no_tests_is_none() -> None:
    assert holm([]) == []
