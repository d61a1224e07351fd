"""Means, tests and what they can see, against other libraries and simulation."""

import numpy as np
import pytest
from scipy import stats

from training.comparison.statistics import detectable, differences, holm, mean_over_seeds

SOFTMAX = np.array([0.70, 0.72, 0.71, 0.73, 0.69])
ARCFACE = SOFTMAX + np.array([0.02, 0.03, 0.01, 0.02, 0.03])
TRIPLET = np.array([0.71, 0.70, 0.72, 0.71, 0.70])


def test_the_interval_is_students() -> None:
    found = mean_over_seeds(SOFTMAX)
    expected = stats.t.interval(0.95, 4, SOFTMAX.mean(), stats.sem(SOFTMAX))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.value == pytest.approx(SOFTMAX.mean())


def test_differences_are_paired_by_seed() -> None:
    by_loss = {"softmax": SOFTMAX, "arcface": ARCFACE, "triplet": TRIPLET}
    found = {(row.first, row.second): row for row in differences("accuracy", by_loss)}
    assert set(found) == {
        ("softmax", "arcface"),
        ("softmax", "triplet"),
        ("arcface", "triplet"),
    }
    row = found["softmax", "arcface"]
    assert row.p_value == pytest.approx(stats.ttest_rel(SOFTMAX, ARCFACE).pvalue)
    assert row.difference.value == pytest.approx(-0.022)
    assert row.p_adjusted == pytest.approx(3 * row.p_value)  # the least of three
    assert row.significant
    assert not found["softmax", "triplet"].significant


def test_holm_is_a_step_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_differences_that_never_vary_leave_no_doubt() -> None:
    same = differences("accuracy", {"a": SOFTMAX, "b": SOFTMAX.copy()})[0]
    assert (same.p_value, same.detectable) == (1.0, 0.0)
    apart = differences("accuracy", {"a": np.array([0.5, 0.5]), "b": np.array([0.25, 0.25])})[0]
    assert apart.p_value == 0.0


def test_a_detectable_difference_is_detected_four_times_in_five() -> None:
    gaps = np.array([-1.0, 0.5, 0.2, -0.4, 0.7])
    random = np.random.default_rng(0)
    drawn = random.normal(detectable(gaps), gaps.std(ddof=1), size=(4000, 5))
    power = (stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.02)
