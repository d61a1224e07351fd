"""Unknown scores by loops over the reference."""

import math

import numpy as np
import pytest

from models import open_set as module
from models.manifest import Metric, Scorer, UnknownRule
from models.open_set import is_unknown, reference, scores

RANDOM = np.random.default_rng(0)
GALLERY = RANDOM.normal(size=(14, 5)).astype(np.float32)
LABELS = np.array([4, 0, 0, 2] * 3 + [2, 4])  # no item of classes 1 and 3
QUERIES = RANDOM.normal(size=(9, 5)).astype(np.float32)
PROBABILITIES = RANDOM.dirichlet(np.ones(5), size=9).astype(np.float32)
METRICS: tuple[Metric, ...] = ("cosine", "l2")
DISTANCES: tuple[Scorer, ...] = ("class_mean_distance", "knn_distance")


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    chosen: Metric = request.param
    return chosen


@pytest.fixture(params=[1, 2**22], autouse=True)
def _block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_ITEMS", request.param)


def distance(one: np.ndarray, other: np.ndarray, metric: Metric) -> float:
    if metric == "l2":
        return math.dist(one, other)
    return 1 - float(one @ other) / math.hypot(*one) / math.hypot(*other)


def unit(points: np.ndarray, metric: Metric) -> np.ndarray:
    points = points.astype(float)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / lengths if metric == "cosine" else points


def test_max_probability_is_what_is_left_of_1() -> None:
    compared = reference("max_probability", None, "l2", GALLERY[:0], LABELS[:0])
    found = scores("max_probability", QUERIES, PROBABILITIES, compared)
    assert found.dtype == np.float32
    assert found == pytest.approx([1 - max(row) for row in PROBABILITIES.tolist()])


def test_class_mean_distance_is_to_the_nearest_mean(metric: Metric) -> None:
    rows = unit(GALLERY, metric)
    means = [rows[label == LABELS].mean(axis=0) for label in (0, 2, 4)]
    expected = [min(distance(query, mean, metric) for mean in means) for query in QUERIES]
    compared = reference("class_mean_distance", None, metric, GALLERY, LABELS)
    found = scores("class_mean_distance", QUERIES, PROBABILITIES, compared)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(("k", "rank"), [(None, 1), (1, 1), (3, 3), (14, 14), (50, 14)])
def test_knn_distance_is_to_the_kth_nearest_item(metric: Metric, k: int | None, rank: int) -> None:
    expected = [
        sorted(distance(query, row, metric) for row in GALLERY)[rank - 1] for query in QUERIES
    ]
    compared = reference("knn_distance", k, metric, GALLERY, LABELS)
    assert scores("knn_distance", QUERIES, PROBABILITIES, compared) == pytest.approx(expected)


@pytest.mark.parametrize("scorer", DISTANCES)
def test_a_score_does_not_depend_on_the_batch(metric: Metric, scorer: Scorer) -> None:
    compared = reference(scorer, 3, metric, GALLERY, LABELS)
    whole = scores(scorer, QUERIES, PROBABILITIES, compared)
    for row in range(len(QUERIES)):
        part = slice(row, row + 1)
        alone = scores(scorer, QUERIES[part], PROBABILITIES[part], compared)
        assert alone == pytest.approx(whole[part], rel=1e-6)
    assert len(scores(scorer, QUERIES[:0], PROBABILITIES[:0], compared)) == 0


@pytest.mark.parametrize("scorer", DISTANCES)
def test_the_gallerys_own_items_and_far_ones(metric: Metric, scorer: Scorer) -> None:
    compared = reference(scorer, 1, metric, GALLERY[:1], LABELS[:1])
    both = np.concatenate([GALLERY[:1], -GALLERY[:1]])
    near, far = scores(scorer, both, PROBABILITIES[:2], compared)
    assert near == pytest.approx(0, abs=1e-6)
    length = math.hypot(*GALLERY[0])
    assert far == pytest.approx(2 if metric == "cosine" else 2 * length)


@pytest.mark.parametrize("scorer", DISTANCES)
def test_no_distance_without_a_gallery(metric: Metric, scorer: Scorer) -> None:
    compared = reference(scorer, 3, metric, GALLERY[:0], LABELS[:0])
    with pytest.raises(ValueError, match="gallery"):
        scores(scorer, QUERIES, PROBABILITIES, compared)


def test_unknown_is_above_the_threshold() -> None:
    measured = np.array([0.1, 0.3, 0.30000004, 0.9], np.float32)
    rule = UnknownRule(scorer="max_probability", threshold=float(measured[1]), accepts=0.95)
    assert is_unknown(rule, measured).tolist() == [False, False, True, True]


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_in_a_large_gallery_nothing_near_is_missed(metric: Metric) -> None:
    rng = np.random.default_rng(3)
    rows = (rng.normal(size=(3000, 16)) + 1).astype(np.float32)
    rows[1000:2000] = rows[0] + 1e-2 * rng.normal(size=(1000, 16)).astype(np.float32)
    queries = np.concatenate([rows[:40] + 1e-3, rows[995:1010]]).astype(np.float32)
    compared = reference("knn_distance", 10, metric, rows, np.zeros(3000, np.int64))
    found = scores("knn_distance", queries, np.zeros((len(queries), 1), np.float32), compared)
    left, right = queries.astype(np.float64), rows.astype(np.float64)
    if metric == "cosine":
        left /= np.linalg.norm(left, axis=1, keepdims=True)
        right /= np.linalg.norm(right, axis=1, keepdims=True)
        naive = 1 - left @ right.T
    else:
        naive = np.linalg.norm(left[:, None] - right, axis=2)
    np.testing.assert_allclose(found, np.sort(naive, axis=1)[:, 9], rtol=1e-4, atol=1e-6)
