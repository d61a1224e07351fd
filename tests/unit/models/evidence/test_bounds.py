"""Bounds by counts against SciPy, and what they promise by simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import beta, binom

from models.evidence.bounds import (
    AcceptedCounts,
    binomial_tail,
    fewest_without_error,
    hold_error,
    upper_bound,
)

Risk = Callable[[np.ndarray], np.ndarray]


@pytest.mark.parametrize(("errors", "n"), [(0, 1), (0, 30), (3, 30), (57, 4_000), (2_500, 5_000)])
@pytest.mark.parametrize("rate", [1e-4, 0.02, 0.3, 0.9])
def test_the_tail_is_the_binomials(errors: int, n: int, rate: float) -> None:
    expected = binom.cdf(errors, n, rate)
    assert binomial_tail(AcceptedCounts(n, errors), rate) == pytest.approx(
        expected, rel=1e-9, abs=1e-300
    )


@pytest.mark.parametrize(("errors", "n"), [(0, 1), (0, 30), (3, 30), (57, 4_000), (9, 10)])
@pytest.mark.parametrize("level", [0.05, 0.005])
def test_the_bound_is_clopper_and_pearsons(errors: int, n: int, level: float) -> None:
    expected = beta.ppf(1 - level, errors + 1, n - errors)
    assert upper_bound(AcceptedCounts(n, errors), level) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("counts", [AcceptedCounts(0, 0), AcceptedCounts(7, 7)])
def test_nothing_and_nothing_but_errors_have_no_bound_below_1(counts: AcceptedCounts) -> None:
    assert upper_bound(counts) == 1


@pytest.mark.parametrize(("max_error", "fewest"), [(0.05, 59), (0.01, 299), (1.0, 1), (0.0, None)])
def test_so_many_images_without_an_error_are_needed(max_error: float, fewest: int | None) -> None:
    assert fewest_without_error(max_error) == fewest
    if fewest is not None and max_error < 1:
        held = hold_error([AcceptedCounts(fewest, 0)], max_error)
        assert held is not None
        assert held.bound <= max_error
        assert hold_error([AcceptedCounts(fewest - 1, 0)], max_error) is None


@pytest.mark.parametrize("max_error", [0.0, 0.1, 1.0])
def test_no_thresholds_hold_nothing(max_error: float) -> None:
    assert hold_error([], max_error) is None


def rising(confidence: np.ndarray) -> np.ndarray:
    """The chance of an error where an image is given this confidence: an honest model's."""
    return 1 - confidence


def too_sure(confidence: np.ndarray) -> np.ndarray:
    return np.minimum(1, 0.02 + 2 * (1 - confidence))


def wavy(confidence: np.ndarray) -> np.ndarray:
    """Wrong now and then where it is surest of all."""
    return np.where(confidence > 0.995, 0.08, 1 - confidence)


def confidences(random: np.random.Generator, n: int) -> np.ndarray:
    return np.sort(1 - 0.6 * random.beta(0.4, 3, n))[::-1]


def sequence(wrong: np.ndarray) -> list[AcceptedCounts]:
    """As the report's choices: of each 200th of the images."""
    ends = np.unique(np.ceil(np.arange(1, 201) / 200 * len(wrong)).astype(int))
    errors = np.cumsum(wrong)[ends - 1]
    return [AcceptedCounts(*pair) for pair in zip(ends.tolist(), errors.tolist(), strict=True)]


CASES = [(60, 0.1, rising), (300, 0.05, too_sure), (2_000, 0.01, rising), (2_000, 0.05, wavy)]


@pytest.mark.parametrize(("n", "max_error", "risk"), CASES)
def test_the_bound_holds_in_19_of_20_draws_of_the_split(
    n: int, max_error: float, risk: Risk
) -> None:
    """And so does what was asked for; the threshold that only looks good enough does not."""
    random, draws = np.random.default_rng(0), 300
    population = confidences(random, 100_000)
    truth = np.cumsum(risk(population)) / np.arange(1, len(population) + 1)

    def true_error(drawn: np.ndarray, one: AcceptedCounts) -> float:
        surer = np.searchsorted(-population, -drawn[one.n - 1], side="right")
        return float(truth[max(surer - 1, 0)])

    broken = broken_bound = naive_broken = 0
    for _ in range(draws):
        drawn = confidences(random, n)
        counts = sequence(random.random(n) < risk(drawn))
        held = hold_error(counts, max_error)
        if held is not None:
            error = true_error(drawn, counts[held.row])
            broken += error > max_error
            broken_bound += error > held.bound
        looks_good = [one for one in counts if one.errors / one.n <= max_error]
        naive_broken += bool(looks_good) and true_error(drawn, looks_good[-1]) > max_error
    assert broken <= 0.05 * draws + 6
    assert broken_bound <= 0.05 * draws + 6
    if max_error < truth[-1]:
        assert naive_broken > 0.2 * draws


def test_it_accepts_nearly_as_much_as_looks_good_enough() -> None:
    """A bound that never accepts anything would hold, too."""
    random = np.random.default_rng(1)
    for _ in range(20):
        drawn = confidences(random, 2_000)
        counts = sequence(random.random(2_000) < rising(drawn))
        held = hold_error(counts, 0.03)
        assert held is not None
        tempting = max(one.n for one in counts if one.errors / one.n <= 0.03)
        assert counts[held.row].n > 0.7 * tempting
