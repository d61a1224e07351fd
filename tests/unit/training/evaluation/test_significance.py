"""Tests of two models against closed forms."""

import numpy as np
import pytest
from scipy.stats import binomtest, chi2

from training.evaluation.significance import adjusted_tests, mcnemar


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


def test_models_that_never_differ_are_not_distinguished() -> None:
    assert mcnemar(0, 0).p_value == 1


@pytest.mark.parametrize("seed", range(3))
def test_holm_multiplies_by_the_tests_that_are_left(seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 40, (8, 2))
    tests = [mcnemar(*pair) for pair in counts.tolist()]
    highest = 0.0
    adjusted = adjusted_tests(tests)
    for rank, row in enumerate(sorted(range(8), key=lambda row: tests[row].p_value)):
        highest = max(highest, min(1.0, (8 - rank) * tests[row].p_value))
        assert adjusted[row].p_adjusted == pytest.approx(highest)
        assert adjusted[row].p_value == tests[row].p_value


def test_holm_of_no_tests_is_none() -> None:
    assert adjusted_tests([]) == []
