"""OPIS against its definition in loops, and its influence against weighted images."""

import itertools

import numpy as np
import pytest

from models.manifest import Metric
from training.evaluation.consistency import THRESHOLDS, ThresholdErrors, opis
from training.evaluation.pair_scores import pair_scores

CLASSES = 5


def images(metric: Metric, n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes of unequal spread, so that one threshold does not suit them alike."""
    random = np.random.default_rng(seed)
    labels = random.integers(CLASSES, size=n)
    spread = np.linspace(0.4, 1.6, CLASSES)[labels, None]
    centers = np.random.default_rng(99).normal(size=(CLASSES, 8))
    points = centers[labels] + spread * random.normal(size=(n, 8))
    if metric == "cosine":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points, labels


def naive(points: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    """As Zhang et al. 2024 define it, with every image counting so much."""
    weights = np.ones(len(labels)) if weights is None else weights
    away = np.linalg.norm(points[:, None] - points, axis=2)
    pair, other = np.outer(weights, weights), labels[:, None] != labels
    np.fill_diagonal(pair, 0)
    order = np.argsort(away[other])
    accepted = np.cumsum(pair[other][order])
    ends = [
        away[other][order][np.searchsorted(accepted, far * accepted[-1])] for far in (0.01, 0.1)
    ]
    steps = (np.arange(THRESHOLDS) + 0.5) / THRESHOLDS
    variances = []
    for threshold in ends[0] + steps * (ends[1] - ends[0]):
        utilities = []
        for label in np.unique(labels):
            own = np.outer(labels == label, labels == label) * pair
            others = np.outer(labels == label, labels != label) * pair
            if own.sum() == 0:
                continue
            sensitivity = (own * (away <= threshold)).sum() / own.sum()
            specificity = (others * (away > threshold)).sum() / others.sum()
            both = sensitivity + specificity
            utilities.append(2 * sensitivity * specificity / both if both else 0.0)
        variances.append(np.var(utilities))
    return float(np.mean(variances))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_opis_is_the_mean_variance_of_utility_over_classes(metric: Metric) -> None:
    points, labels = images(metric)
    found = opis(points, labels, metric, pair_scores(points, labels, metric))
    assert found == pytest.approx(naive(points, labels), rel=1e-6)


def test_a_class_of_one_image_has_no_utility() -> None:
    points, labels = images("l2")
    labels = np.append(labels[:-1], CLASSES)
    found = opis(points, labels, "l2", pair_scores(points, labels, "l2"))
    assert found == pytest.approx(naive(points, labels), rel=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_an_influence_is_what_a_little_more_weight_does(metric: Metric) -> None:
    points, labels = images(metric)
    operating = ThresholdErrors.of(points, labels, metric, pair_scores(points, labels, metric))
    assert operating is not None
    moves = operating.influence()
    assert moves.sum() == pytest.approx(0, abs=1e-12)
    rows = np.arange(0, len(labels), 12)
    true, even = [], naive(points, labels)
    for row in rows:
        weights = np.ones(len(labels))
        weights[row] += 0.1
        true.append((naive(points, labels, weights) - even) / 0.1)
    assert np.corrcoef(moves[rows], true)[0, 1] > 0.98
    assert np.std(moves[rows]) == pytest.approx(np.std(true), rel=0.15)


def test_one_threshold_for_classes_of_equal_spread_is_consistent() -> None:
    """Exchanging any two axes exchanges two of the classes, and moves nothing else."""
    drawn = np.random.default_rng(1).normal(size=(7, 3))
    cloud = np.concatenate([drawn[:, axes] for axes in itertools.permutations(range(3))])
    points = np.concatenate([cloud + 2 * axis for axis in np.eye(3)])
    labels = np.repeat(np.arange(3), len(cloud))
    assert opis(points, labels, "l2", pair_scores(points, labels, "l2")) == pytest.approx(
        0, abs=1e-9
    )


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.zeros(60, int), id="one class"),
        pytest.param(np.arange(60), id="no two images of a class"),
        pytest.param(np.array([0, 0, 1, 1]), id="too few pairs for a FAR of 1 %"),
        pytest.param(np.minimum(np.arange(60), 1), id="a pair in one class alone"),
    ],
)
def test_there_is_none_where_it_would_say_nothing(labels: np.ndarray) -> None:
    points = np.random.default_rng(0).normal(size=(len(labels), 3))
    assert opis(points, labels, "l2", pair_scores(points, labels, "l2")) is None


def test_there_is_none_where_all_pairs_are_as_far_apart() -> None:
    points, labels = np.zeros((60, 3)), np.arange(60) % 3
    assert opis(points, labels, "l2", pair_scores(points, labels, "l2")) is None


@pytest.mark.parametrize("metric", ["l2", pytest.param("cosine", marks=pytest.mark.simulation)])
def test_the_interval_holds_what_many_more_images_say(metric: Metric) -> None:
    """Of 60 sets of 400 images each, against 4,000; 95 % is aimed at, and chance may take some."""
    points, labels = images(metric, 4_000, seed=1)
    truth = opis(points, labels, metric, pair_scores(points, labels, metric))
    held = []
    for seed in range(60):
        points, labels = images(metric, 400, seed=seed + 2)
        scores = pair_scores(points, labels, metric)
        operating = ThresholdErrors.of(points, labels, metric, scores)
        assert operating is not None and truth is not None
        found = operating.estimate()
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.85
