"""Pairs: counts against naive ones, maps against known truths, promised rates against measured."""

from itertools import combinations

import numpy as np
import pytest

from models.evidence.pairs import Method
from models.manifest import Metric
from models.pairs import choose, probability
from training.evaluation.answers import Answers
from training.evaluation.pair_map import METHODS, Binned, fit_map
from training.evaluation.pair_section import fit_pairs, pairs_section, round_pairs
from training.evaluation.pair_table import PairTable, sorted_scores

CLASSES = 8


def embedded(n: int, seed: int, spread: float = 1.2, shift: float = 0.0) -> Answers:
    """Images of classes whose centers are the same for every seed, around them."""
    centers = np.random.default_rng(99).normal(size=(CLASSES, 6)) + shift
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, n)
    points = centers[labels] + spread * random.normal(size=(n, 6))
    even = np.full((n, CLASSES), 1 / CLASSES, np.float32)
    return Answers(points.astype(np.float32), even, labels, tuple(map(str, range(n))))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_counts_are_those_of_every_pair(metric: Metric) -> None:
    found = embedded(40, 1)
    points = found.embeddings.astype(np.float64)
    if metric == "cosine":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    edges = np.array([-3.0, -0.2, 0.1, 0.5])
    table = PairTable.of(points, found.labels, metric, edges)
    genuine, impostor = np.zeros((2, 40, 5), int)
    scores: tuple[list[float], list[float]] = ([], [])
    for i, j in combinations(range(40), 2):
        away = points[i] - points[j]
        score = points[i] @ points[j] if metric == "cosine" else -(away @ away)
        same = found.labels[i] == found.labels[j]
        scores[0 if same else 1].append(float(score))
        for one in (i, j):
            (genuine if same else impostor)[one, int((score >= edges).sum())] += 1
    np.testing.assert_array_equal(table.genuine, genuine)
    np.testing.assert_array_equal(table.impostor, impostor)
    for kind, naive in zip(sorted_scores(points, found.labels, metric), scores, strict=True):
        np.testing.assert_allclose(kind, sorted(naive), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_a_map_finds_log_odds_that_are_straight(method: Method) -> None:
    """Two normal distributions of scores have log-odds that are straight in the score."""
    scores = np.linspace(-0.95, 0.95, 400)
    kinds = [np.exp(-((scores - mean) ** 2) / 0.18) for mean in (0.25, -0.25)]
    genuine, impostor = (kind / kind.sum() for kind in kinds)
    pairs = Binned(scores, genuine, impostor, most=6.0)
    map_ = fit_map(method, pairs, "cosine")
    given = np.interp([-0.4, 0.0, 0.4], map_.scores, map_.log_odds)
    np.testing.assert_allclose(given, 0.5 * np.array([-0.4, 0.0, 0.4]) * 2 / 0.18, atol=0.25)


def test_separable_pairs_stay_within_what_the_images_show() -> None:
    scores = np.array([-0.5, 0.5])
    pairs = Binned(scores, np.array([0.0, 1.0]), np.array([1.0, 0.0]), most=3.0)
    for method in METHODS:
        assert max(map(abs, fit_map(method, pairs, "cosine").log_odds)) <= 3.0


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_promises_hold_on_images_that_chose_nothing(metric: Metric) -> None:
    section = pairs_section(embedded(700, 2), embedded(900, 3), metric)
    assert section is not None
    assert section.test.ece.value < 0.02
    assert section.method == min(section.held_out, key=lambda one: one.nll).method
    for kind, most in (("far", 0.01), ("far", 0.001), ("frr", 0.05)):
        promised = choose(section.rates, kind, most)  # type: ignore[arg-type]  # a literal of a list
        measured = section.test.rates[section.rates.index(promised)]
        assert getattr(promised, kind).value == pytest.approx(most, rel=0.05)
        one, seen = getattr(promised, kind), getattr(measured, kind)
        assert one.low <= seen.high and seen.low <= one.high
    assert section == pairs_section(embedded(700, 2), embedded(900, 3), metric)


def test_intervals_count_images_and_not_pairs() -> None:
    """About 90 % of intervals hold the rate of a large set; those of free pairs hold few."""
    truth = embedded(2_500, 50)
    points = truth.embeddings.astype(np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    genuine, _ = sorted_scores(points, truth.labels, "cosine")
    inside = free = 0
    for seed in range(20):
        fitted = fit_pairs(embedded(300, seed), "cosine")
        assert fitted is not None
        promised = choose(fitted.table.rates(fitted.thresholds), "frr", 0.2)
        measured = float((genuine < promised.threshold).mean())
        inside += promised.frr.low <= measured <= promised.frr.high
        half = 1.96 * (0.2 * 0.8 / fitted.table.pairs[0]) ** 0.5
        free += abs(measured - promised.frr.value) <= half
    assert inside >= 16
    assert free <= 12


def test_other_classes_are_judged_by_the_same_thresholds() -> None:
    fitted, other = embedded(600, 4), embedded(500, 5, spread=3.0, shift=2.0)
    left = round_pairs(fitted, other, "cosine")
    section = pairs_section(fitted, embedded(600, 6), "cosine")
    assert left is not None and section is not None and not left.trained
    assert [one.threshold for one in left.rates] == [one.threshold for one in section.rates]
    assert left.ece.value > section.test.ece.value


def test_probabilities_are_those_of_outcomes() -> None:
    section = pairs_section(embedded(900, 2, 0.8), embedded(900, 3, 0.8), "cosine")
    assert section is not None
    fresh = embedded(1_000, 7, 0.8)
    points = fresh.embeddings / np.linalg.norm(fresh.embeddings, axis=1, keepdims=True)
    random = np.random.default_rng(0)
    one, other = random.integers(0, 1_000, (2, 200_000))
    kept = one != other
    one, other = one[kept], other[kept]
    same = fresh.labels[one] == fresh.labels[other]
    scores = np.einsum("pd,pd->p", points[one], points[other])
    given = probability(section.map, scores, float(same.mean()))
    bins = np.minimum((given * 5).astype(int), 4)
    filled = [one for one in range(5) if (bins == one).sum() > 1_000]
    assert len(filled) >= 3
    for one in filled:
        inside = bins == one
        assert given[inside].mean() == pytest.approx(same[inside].mean(), abs=0.05)


def test_splits_without_both_kinds_have_no_section() -> None:
    alone, whole = embedded(300, 8), embedded(300, 9)
    one_class = alone.take(np.flatnonzero(alone.labels == 0))
    assert pairs_section(one_class, whole, "cosine") is None
    assert pairs_section(whole, one_class, "cosine") is None
    assert pairs_section(whole.take(np.arange(3)), whole, "cosine") is None
    assert round_pairs(whole, one_class, "cosine") is None
