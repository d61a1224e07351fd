"""Scores of confidence against naive definitions, scikit-learn and torchmetrics."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from models.evidence.confidence import Calibration, Confidence
from tests.support.answered import answered, made_up, sure
from training.evaluation.answers import Answers
from training.evaluation.confidence import (
    Outcomes,
    calibration_errors,
    confidence_section,
    equal_mass,
    equal_width,
    gaps,
    outcomes,
)
from training.evaluation.intervals import proportion

CASES = [(20, 2, 0), (500, 3, 1), (3_000, 10, 2)]


def section(
    test: Answers, temperature: float = 1.0, uncalibrated: Answers | None = None
) -> Confidence:
    fitted = Calibration(temperature=temperature, nll_before=1, nll_after=1, n=10)
    return confidence_section(test, uncalibrated or test, test, fitted)


@pytest.mark.parametrize(("n", "classes", "seed"), CASES)
def test_likelihood_and_brier_are_scikit_learns(n: int, classes: int, seed: int) -> None:
    answers = made_up(n, classes, seed)
    every = list(range(classes))
    p = answers.probabilities.astype(np.float64)
    p /= p.sum(axis=1, keepdims=True)
    found = section(answers).after
    assert found.nll == pytest.approx(log_loss(answers.labels, p, labels=every), rel=1e-5)
    brier = brier_score_loss(answers.labels, p, labels=every, scale_by_half=False)
    assert found.brier == pytest.approx(brier, rel=1e-5)


def test_a_sure_mistake_costs_a_finite_sum() -> None:
    found = section(sure([1.0, 1.0], [True, False]))
    assert found.after.nll == pytest.approx(126 * math.log(2) / 2)
    assert found.after.brier == 1.0
    assert found.after.ece.value == 0.5


@pytest.mark.parametrize(("n", "classes", "seed"), CASES)
def test_ece_is_torchmetrics(n: int, classes: int, seed: int) -> None:
    answers = made_up(n, classes, seed)
    theirs = multiclass_calibration_error(
        torch.from_numpy(answers.probabilities).double(),
        torch.from_numpy(answers.labels),
        num_classes=classes,
        n_bins=15,
        norm="l1",
    )
    assert section(answers).after.ece.value == pytest.approx(theirs.item(), abs=1e-6)


def naive_ece(answers: Answers) -> float:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for p, label in zip(answers.probabilities.astype(float), answers.labels, strict=True):
        confidence = min(p.max(), 1.0)
        bins[max(math.ceil(confidence * 15) - 1, 0)].append((confidence, p.argmax() == label))
    return weighted(bins, len(answers))


def weighted(bins: list[list[tuple[float, bool]]], n: int) -> float:
    filled = (np.array(each, dtype=float) for each in bins if each)
    return float(sum(len(each) / n * abs(each[:, 1].mean() - each[:, 0].mean()) for each in filled))


@pytest.mark.parametrize(("n", "classes", "seed"), CASES)
def test_ece_is_its_definition(n: int, classes: int, seed: int) -> None:
    answers = made_up(n, classes, seed)
    assert section(answers).after.ece.value == pytest.approx(naive_ece(answers), abs=1e-12)


@pytest.mark.parametrize(("n", "classes", "seed"), [*CASES, (7, 3, 3), (37, 3, 4)])
def test_adaptive_ece_has_bins_of_as_many_images(n: int, classes: int, seed: int) -> None:
    answers = made_up(n, classes, seed)
    confidence = answers.probabilities.max(axis=1).astype(float)
    assert len(set(confidence)) == n
    right = answers.predicted == answers.labels
    bins = [
        [(confidence[row], bool(right[row])) for row in part]
        for part in np.array_split(np.argsort(confidence), 15)
    ]
    assert section(answers).after.adaptive_ece.value == pytest.approx(weighted(bins, n))


def test_equal_confidences_stay_together_whatever_the_order_of_images() -> None:
    confidence, right = [1.0] * 40 + [0.7] * 20, [True, True, False, True] * 15
    forth, back = sure(confidence, right), sure(confidence[::-1], right[::-1])
    both = 40 / 60 * abs(0.75 - 1) + 20 / 60 * abs(0.75 - 0.7)
    assert section(forth).after.adaptive_ece.value == pytest.approx(both)
    assert section(back).after.adaptive_ece.value == pytest.approx(both)


@pytest.mark.parametrize("one", [1.0, float(np.nextafter(np.float32(1), np.float32(2)))])
def test_a_confidence_of_one_lands_in_the_last_bin(one: float) -> None:
    bins = section(sure([one, one, 0.95, 0.52], [True, False, True, True])).after.reliability
    assert [row.count for row in bins] == [0] * 7 + [1] + [0] * 6 + [3]
    assert bins[-1].mean_confidence == pytest.approx(2.95 / 3)
    assert bins[-1].accuracy is not None
    assert bins[-1].accuracy.value == pytest.approx(2 / 3)


def test_a_confidence_on_an_edge_lands_below_it() -> None:
    p = np.array([[0.2] * 5, [0.6, 0.1, 0.1, 0.1, 0.1]], np.float32)  # float32(0.6) > 9/15
    exact = answered(np.array([[0.334, 0.333, 0.333]] * 4), np.zeros(4))
    bins = section(answered(p, np.zeros(2))).after.reliability
    assert sum(row.count for row in bins) == 2
    assert section(exact).after.reliability[5].count == 4
    half = [row for row in section(sure([0.5], [True])).after.reliability if row.count]
    assert [(row.low, row.high) for row in half] == [pytest.approx((7 / 15, 8 / 15))]


def test_bins_tile_0_to_1_and_an_empty_one_says_so() -> None:
    bins = section(sure([0.9, 0.9], [True, False])).after.reliability
    assert (len(bins), bins[0].low, bins[-1].high) == (15, 0, 1)
    assert all(below.high == above.low for below, above in itertools.pairwise(bins))
    empty = bins[0]
    assert (empty.count, empty.mean_confidence, empty.accuracy) == (0, None, None)


def test_a_bins_interval_is_that_of_a_share() -> None:
    answers = made_up(2_000, 4, seed=9)
    filled = [row for row in section(answers).after.reliability if row.count]
    assert sum(row.count for row in filled) == 2_000
    for row in filled:
        assert row.accuracy is not None
        assert row.accuracy == proportion(round(row.accuracy.value * row.count), row.count)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_before_tempered_and_after_are_distinguished(temperature: float) -> None:
    random = np.random.default_rng(10)
    logits, labels = 2 * random.normal(size=(400, 5)), random.integers(0, 5, 400)
    raw = answered(softmax(logits, axis=1), labels)
    tempered = answered(softmax(logits / temperature, axis=1), labels)
    served = answered(softmax(logits / 3, axis=1), labels)
    found = section(served, temperature, raw)
    assert found.before == section(raw).after
    assert found.after == section(served).after
    expected = section(tempered).after
    assert found.tempered.nll == pytest.approx(expected.nll, rel=1e-4)
    assert found.tempered.brier == pytest.approx(expected.brier, rel=1e-4)
    assert found.tempered.ece.value == pytest.approx(expected.ece.value, abs=1e-4)
    adaptive = expected.adaptive_ece.value
    assert found.tempered.adaptive_ece.value == pytest.approx(adaptive, abs=1e-4)


def test_underflown_probabilities_stay_finite_after_the_temperature() -> None:
    answers = answered(np.array([[1.0, 0.0], [1.0, 1e-42]]), np.array([1, 0]))
    found = section(answers, 0.5, answers)
    assert found.tempered.nll == pytest.approx(126 * math.log(2) / 2)
    assert found.tempered.ece.value == pytest.approx(0.5)


Truth = Callable[[np.ndarray], np.ndarray]


def honest(confidence: np.ndarray) -> np.ndarray:
    return confidence


def too_sure(confidence: np.ndarray) -> np.ndarray:
    return 0.5 + 0.85 * (confidence - 0.5)


def unsure(random: np.random.Generator, n: int) -> np.ndarray:
    return np.sort(0.5 + 0.5 * random.beta(2, 1, n))


def nearly_certain(random: np.random.Generator, n: int) -> np.ndarray:
    return np.sort(1 - 0.5 * random.beta(0.3, 6, n))


@pytest.mark.parametrize("n", [10, 40, 200, 2_000])
@pytest.mark.parametrize("drawn", [unsure, nearly_certain])
@pytest.mark.parametrize("truth", [honest, too_sure])
def test_the_intervals_of_ece_hold_the_true_error(
    n: int, drawn: Callable[[np.random.Generator, int], np.ndarray], truth: Truth
) -> None:
    """At 0, where the true error cannot be less, more often than 19 times in 20."""
    random, draws = np.random.default_rng(13), 100
    population = drawn(random, 200_000)
    errors = [
        np.abs(gaps(population, truth(population), binning)).sum()
        for binning in (equal_width, equal_mass)
    ]
    held = np.zeros(2)
    for _ in range(draws):
        confidence = drawn(random, n)
        right = (random.random(n) < truth(confidence)).astype(float)
        found = calibration_errors(Outcomes(confidence, right, right, right, right))
        held += [
            one.low <= error + 1e-9 <= one.high + 2e-9
            for one, error in zip(found, errors, strict=True)
        ]
    assert held.min() >= 0.9 * draws


def test_certain_and_right_40_times_is_not_honest_beyond_doubt() -> None:
    ece, adaptive = calibration_errors(outcomes(sure([1.0] * 40, [True] * 40)))
    for found in (ece, adaptive):
        assert (found.value, found.low) == (0, 0)
        assert found.high == pytest.approx(1 - proportion(40, 40).low)


@pytest.mark.parametrize("n", [1, 2, 14, 16])
def test_a_handful_of_images_is_enough(n: int) -> None:
    found = section(made_up(n, 3, seed=n), 1.3)
    assert found.n == n
    assert sum(row.count for row in found.before.reliability) == n
