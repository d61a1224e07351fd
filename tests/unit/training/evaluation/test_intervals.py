"""Intervals that are said to be 95 %: their coverage, counted exactly or by simulation."""

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.proportion import proportion_confint

from training.evaluation.intervals import paired_difference, proportion, share

SHARES = np.unique(
    np.concatenate([np.linspace(0.001, 0.999, 400), 1 - np.geomspace(1e-4, 0.1, 80)])
)


def coverage(n: int, shares: np.ndarray) -> np.ndarray:
    """The chance that the interval of n images holds each true share, summed over all counts."""
    found = [proportion(right, n) for right in range(n + 1)]
    low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
    holds = (low <= shares[:, None]) & (shares[:, None] <= high)
    chances: np.ndarray = (binom.pmf(np.arange(n + 1), n, shares[:, None]) * holds).sum(axis=1)
    return chances


@pytest.mark.parametrize("n", [1, 2, 5, 10, 16, 50, 51, 100, 400])
def test_a_shares_interval_holds_the_truth_19_times_in_20(n: int) -> None:
    found = coverage(n, SHARES)
    assert found.min() > 0.91
    assert found.mean() > 0.95


@pytest.mark.parametrize(("n", "truth"), [(10, 0.99), (100, 0.99), (100, 0.999), (30, 0.5)])
def test_the_shares_that_a_bootstrap_lost(n: int, truth: float) -> None:
    """A percentile bootstrap covers 8.7 % at n = 10 and 0.99, 65 % at n = 100."""
    assert coverage(n, np.array([truth]))[0] > 0.93


def test_sixteen_of_sixteen_is_not_certainty() -> None:
    found = share(np.full(16, True))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.806, abs=5e-4)


@pytest.mark.parametrize(("right", "n"), [(93, 100), (5, 20), (9_312, 10_000), (500, 1_000)])
def test_away_from_the_ends_it_is_wilsons(right: int, n: int) -> None:
    found = share(np.arange(n) < right)
    assert (found.low, found.high) == pytest.approx(proportion_confint(right, n, method="wilson"))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 60])
def test_every_interval_holds_its_value_and_mirrors(n: int) -> None:
    for right in range(n + 1):
        one, other = proportion(right, n), proportion(n - right, n)
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))


@pytest.mark.parametrize(
    ("n", "wins", "losses"),
    [(20, 0.05, 0.05), (20, 0.3, 0.1), (100, 0.01, 0.01), (1_000, 0.001, 0.0), (1_000, 0.05, 0.03)],
)
def test_a_paired_difference_holds_the_truth(n: int, wins: float, losses: float) -> None:
    random = np.random.default_rng(0)
    held, draws = 0, 2_000
    for won, lost, _ in random.multinomial(n, [wins, losses, 1 - wins - losses], draws):
        rows = np.arange(n)
        found = paired_difference(rows < won, (rows >= won) & (rows < won + lost))
        held += found.low <= wins - losses <= found.high
    assert held / draws > 0.93


def test_models_that_never_differ_are_not_equal_beyond_doubt() -> None:
    right = np.arange(200) < 150
    found = paired_difference(right, right)
    assert found.value == 0
    assert found.low == pytest.approx(-found.high)
    assert 0.005 < found.high < 0.03


@pytest.mark.parametrize("seed", range(4))
def test_with_many_images_it_is_what_drawing_pairs_gives(seed: int) -> None:
    random = np.random.default_rng(seed)
    own = random.random(3_000) < 0.8
    baseline = np.where(random.random(3_000) < 0.9, own, random.random(3_000) < 0.5)
    found = paired_difference(own, baseline)
    rows = random.integers(3_000, size=(2_000, 3_000))
    low, high = np.quantile(own[rows].mean(axis=1) - baseline[rows].mean(axis=1), (0.025, 0.975))
    assert found.value == pytest.approx(own.mean() - baseline.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-3)
