"""Verification against scikit-learn's ROC over every pair, and its interval by brute force."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from models.evidence.estimate import Estimate
from models.manifest import Metric
from tests.support.clusters import answers, clusters
from training.evaluation import pair_scores as module
from training.evaluation import verification as verification_module
from training.evaluation.answers import Answers
from training.evaluation.pair_scores import PairSample, Scores
from training.evaluation.verification import verification

LABELS = [0] * 40 + [1] * 25 + [2] * 14 + [3]
METRICS: tuple[Metric, ...] = ("cosine", "l2")


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    chosen: Metric = request.param
    return chosen


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLED_PAIRS", 5_000)
    monkeypatch.setattr(verification_module, "RESAMPLES", 10)


def every_pair(test: Answers, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each pair is of one class, and its score in float32."""
    points = test.embeddings.astype(float)
    pairs = list(combinations(range(len(test)), 2))
    same = [bool(test.labels[i] == test.labels[j]) for i, j in pairs]
    if metric == "cosine":
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        scores = [float(unit[i] @ unit[j]) for i, j in pairs]
    else:
        scores = [-math.dist(points[i], points[j]) for i, j in pairs]
    return np.array(same), np.array(scores, np.float32)


def equal_error(same: np.ndarray, scores: np.ndarray) -> float:
    fpr, tpr, _ = roc_curve(same, scores, drop_intermediate=False)
    return float(brentq(lambda far: 1 - far - np.interp(far, fpr, tpr), 0, 1))


def accepted(same: np.ndarray, scores: np.ndarray, far: float) -> float:
    fpr, tpr, _ = roc_curve(same, scores, drop_intermediate=False)
    return float(tpr[fpr <= far].max())


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    return estimate.value


@pytest.mark.parametrize("seed", range(3))
def test_the_rates_are_those_of_the_roc_over_every_pair(metric: Metric, seed: int) -> None:
    test = clusters(LABELS, metric, seed)
    same, scores = every_pair(test, metric)
    section = verification(test, metric)
    assert (section.genuine_pairs, section.impostor_pairs) == (same.sum(), (~same).sum())
    assert value(section.eer) == pytest.approx(equal_error(same, scores), abs=2e-4)
    assert [row.far for row in section.tar_at_far] == [1e-2, 1e-3]
    for row in section.tar_at_far:
        assert value(row.tar) == accepted(same, scores, row.far)
    for point in section.roc:
        assert point.tar == pytest.approx(accepted(same, scores, point.far + 1e-12))
    assert section.roc[0].far >= 1 / (~same).sum()
    assert (section.roc[-1].far, section.roc[-1].tar) == (1, 1)


def test_the_thresholds_accept_what_they_say(metric: Metric) -> None:
    test = clusters(LABELS, metric, seed=1)
    same, scores = every_pair(test, metric)
    section = verification(test, metric)
    for row in section.tar_at_far:
        take = scores >= row.threshold
        assert take[same].mean() == pytest.approx(row.tar.value, abs=2e-3)
        assert take[~same].mean() <= row.far + 1e-3
    assert section.eer_threshold is not None
    take = scores >= section.eer_threshold
    assert take[~same].mean() == pytest.approx(value(section.eer), abs=3e-3)
    assert 1 - take[same].mean() == pytest.approx(value(section.eer), abs=3e-3)


@pytest.mark.parametrize("seed", range(20))
def test_tied_scores_are_accepted_together(seed: int) -> None:
    random = np.random.default_rng(seed)
    genuine = np.sort(random.integers(2, 7, 60)).astype(np.float32)
    impostor = np.sort(random.integers(0, 6, 200)).astype(np.float32)
    same, every = np.repeat([True, False], [60, 200]), np.concatenate([genuine, impostor])
    scores = Scores(genuine, impostor)
    assert scores.equal_error()[0] == pytest.approx(equal_error(same, every))
    for far in (0.01, 0.05, 0.3, 0.9, 1.0):
        threshold = scores.threshold(far)
        assert threshold is not None
        assert scores.tar(threshold) == pytest.approx(accepted(same, every, far))
        assert scores.far(threshold) <= far


def test_a_rate_below_one_pairs_share_is_left_out() -> None:
    section = verification(clusters([0] * 12 + [1] * 12, "cosine", seed=1), "cosine")
    assert section.impostor_pairs == 144
    assert [row.far for row in section.tar_at_far] == [1e-2]
    assert section.roc[0].far >= 1 / 144


def test_perfect_and_hopeless_scores() -> None:
    low, high = np.array([0.0, 0.1], np.float32), np.array([0.8, 0.9], np.float32)
    assert Scores(genuine=high, impostor=low).equal_error()[0] == 0
    assert Scores(genuine=low, impostor=high).equal_error()[0] == 1
    assert Scores(genuine=low, impostor=low).equal_error()[0] == pytest.approx(0.5)


def test_equal_embeddings_say_nothing(metric: Metric) -> None:
    test = answers(np.ones((12, 4)), [0, 1] * 6, metric, np.eye(2, 4))
    assert value(verification(test, metric).eer) == pytest.approx(0.5)


@pytest.mark.parametrize("labels", [[], [0], [0, 0, 0], [0, 1, 2]])
def test_without_pairs_of_both_kinds_there_is_no_number(labels: list[int]) -> None:
    section = verification(clusters(labels, "l2", seed=1, classes=3), "l2")
    assert section.eer is None
    assert section.eer_threshold is None
    assert (section.tar_at_far, section.roc) == ((), ())


def test_three_images_do_not_fail() -> None:
    value(verification(clusters([0, 0, 1], "l2", seed=1), "l2").eer)


def test_a_large_set_is_sampled_and_says_so() -> None:
    section = verification(clusters(LABELS, "l2", seed=1), "l2", limit=40)
    assert section.images == 40
    assert section.genuine_pairs + section.impostor_pairs == 780


def test_every_pair_is_as_likely_to_be_sampled(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLED_PAIRS", 50_000)
    labels = [2, 0, 1, 0, 2, 0, 3]
    test = clusters(labels, metric, seed=1)
    points = test.embeddings.astype(float)
    sample = PairSample(points, test.labels, metric, seed=0)
    for pairs, scores, kind in (
        (sample.genuine_pairs, sample.scores.genuine, True),
        (sample.impostor_pairs, sample.scores.impostor, False),
    ):
        seen = np.zeros((7, 7))
        np.add.at(seen, (pairs.min(axis=0), pairs.max(axis=0)), 1)
        expected = [
            (i, j) for i, j in combinations(range(7), 2) if (labels[i] == labels[j]) == kind
        ]
        assert sorted(zip(*seen.nonzero(), strict=True)) == expected
        share = seen[seen > 0] / 50_000 * len(expected)
        assert share == pytest.approx(1, abs=0.08)
        one, other = points[pairs]
        gaps = -np.linalg.norm(one - other, axis=1)
        direct = (one * other).sum(axis=1) if metric == "cosine" else gaps
        np.testing.assert_allclose(scores, direct, atol=1e-5)
        assert (np.diff(scores) >= 0).all()


def test_the_interval_is_that_of_resampling_the_images_and_using_every_pair(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLED_PAIRS", 10_000)
    monkeypatch.setattr(verification_module, "RESAMPLES", 200)
    test = clusters(LABELS, metric, seed=1)
    same, scores = every_pair(test, metric)
    pairs = np.array(list(combinations(range(len(test)), 2))).T
    random = np.random.default_rng(7)
    errors = []
    for _ in range(200):
        count = np.bincount(random.integers(len(test), size=len(test)), minlength=len(test))
        again = np.repeat(np.arange(len(same)), count[pairs].prod(axis=0))
        errors.append(equal_error(same[again], scores[again]))
    low, high = np.percentile(errors, [2.5, 97.5])
    found = verification(test, metric).eer
    assert found is not None
    assert found.low == pytest.approx(low, abs=0.25 * (high - low))
    assert found.high == pytest.approx(high, abs=0.25 * (high - low))


def test_pairs_that_never_err_are_not_distinguished_beyond_doubt() -> None:
    points = np.repeat(np.eye(3), 8, axis=0)
    found = verification(
        answers(points, np.repeat(np.arange(3), 8).tolist(), "cosine", np.eye(3)), "cosine"
    )
    assert found.eer is not None
    assert (found.eer.value, found.eer.low) == (0, 0)
    assert 0.1 < found.eer.high < 0.35
    assert found.tar_at_far[0].tar.value == found.tar_at_far[0].tar.high == 1
    assert 0.65 < found.tar_at_far[0].tar.low < 0.9
