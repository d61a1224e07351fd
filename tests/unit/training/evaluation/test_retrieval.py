"""Retrieval against loops, pytorch-metric-learning and scikit-learn."""

import numpy as np
import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from sklearn.neighbors import KNeighborsClassifier

from models.evidence.retrieval import RetrievalSection
from models.manifest import Metric
from tests.support.clusters import answers, clusters
from training.evaluation import retrieval as module
from training.evaluation.answers import Answers
from training.evaluation.intervals import proportion
from training.evaluation.retrieval import neighbor_labels, query_values, retrieval

LABELS = [0] * 17 + [1] * 30 + [2] * 5 + [3]  # an image that is alone in its class
METRICS: tuple[Metric, ...] = ("cosine", "l2")
NOTHING = clusters([], "l2", seed=0, classes=4)


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    chosen: Metric = request.param
    return chosen


def ranked(points: np.ndarray, query: np.ndarray, metric: Metric) -> list[int]:
    """Every row, nearest first."""
    points, query = points.astype(float), query.astype(float)
    near = points @ query if metric == "cosine" else -np.linalg.norm(points - query, axis=1)
    return [int(row) for row in np.argsort(-near)]


@pytest.mark.parametrize("block", [60, 2**22])
def test_each_query_by_a_loop_over_its_ranks(
    metric: Metric, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK_ITEMS", block)
    test = clusters(LABELS, metric, seed=1)
    expected = []
    for query, label in enumerate(LABELS):
        order = [row for row in ranked(test.embeddings, test.embeddings[query], metric)
                 if row != query]  # fmt: skip
        hits = [LABELS[row] == label for row in order]
        r = sum(hits)
        if r == 0:
            continue
        precision = [sum(hits[: rank + 1]) / (rank + 1) for rank in range(r)]
        expected.append(
            [
                *(float(any(hits[:k])) for k in (1, 5, 10)),
                sum(hits[:r]) / r,
                sum(p for p, hit in zip(precision, hits[:r], strict=True) if hit) / r,
            ]
        )
    found = query_values(test.embeddings, test.labels, metric)
    assert found == pytest.approx(np.array(expected))


def test_pytorch_metric_learning_agrees(metric: Metric) -> None:
    labels = [0] * 20 + [1] * 30 + [2] * 12
    test = clusters(labels, metric, seed=1)
    distance = CosineSimilarity() if metric == "cosine" else LpDistance(normalize_embeddings=False)
    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        knn_func=CustomKNN(distance),
    )
    theirs = calculator.get_accuracy(
        torch.from_numpy(test.embeddings), torch.from_numpy(test.labels)
    )
    ours = retrieval(test, NOTHING, metric)
    assert ours.recall_at_1 is not None
    assert ours.r_precision is not None
    assert ours.map_at_r is not None
    assert ours.recall_at_1.value == pytest.approx(theirs["precision_at_1"])
    assert ours.r_precision.value == pytest.approx(theirs["r_precision"])
    assert ours.map_at_r.value == pytest.approx(theirs["mean_average_precision_at_r"])


def test_images_alone_in_their_class_ask_nothing(metric: Metric) -> None:
    section = retrieval(clusters(LABELS, metric, seed=1), NOTHING, metric)
    assert (section.images, section.queries, section.queries_left_out) == (53, 52, 1)
    assert section.map_at_r is not None
    assert section.map_at_r.low < section.map_at_r.value < section.map_at_r.high


@pytest.mark.parametrize("labels", [[], [1], [0, 1, 2]])
def test_without_queries_there_is_no_number(labels: list[int]) -> None:
    section = retrieval(clusters(labels, "l2", seed=1, classes=4), NOTHING, "l2")
    assert section.queries == 0
    assert section.queries_left_out == len(labels)
    assert section.recall_at_1 is section.recall_at_10 is section.map_at_r is None
    assert section.neighbour_accuracy == ()


def test_two_images_are_enough() -> None:
    section = retrieval(clusters([2, 2], "cosine", seed=1), NOTHING, "cosine")
    assert section.recall_at_10 is not None
    assert section.map_at_r is not None
    assert section.recall_at_10.value == section.map_at_r.value == 1


def test_a_large_set_is_sampled_and_says_so(metric: Metric) -> None:
    section = retrieval(clusters(LABELS * 4, metric, seed=1), NOTHING, metric, limit=53)
    assert section.images == 53


def test_equal_embeddings_find_their_class_by_chance_not_by_the_order_of_the_files() -> None:
    labels = [0] * 300 + [1] * 300
    test = answers(np.ones((600, 4)), labels, "cosine", np.eye(2, 4))
    section = retrieval(test, NOTHING, "cosine")
    assert section.r_precision is not None
    assert section.r_precision.value == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("k", [1, 5])
def test_scikit_learn_agrees_on_neighbors_where_no_vote_is_tied(metric: Metric, k: int) -> None:
    gallery = clusters([0, 1] * 40, metric, seed=1, spread=2.0)
    test = clusters([0, 1] * 50, metric, seed=2, spread=2.0)
    theirs = KNeighborsClassifier(k, metric="cosine" if metric == "cosine" else "euclidean")
    theirs.fit(gallery.embeddings, gallery.labels)
    expected = theirs.predict(test.embeddings)
    assert neighbor_labels(test.embeddings, gallery, k, metric).tolist() == expected.tolist()
    (found,) = [row for row in retrieval(test, gallery, metric).neighbour_accuracy if row.k == k]
    assert found.accuracy.value == pytest.approx((expected == test.labels).mean())


@pytest.mark.parametrize("k", [2, 4, 5, 20])
def test_a_tied_vote_goes_to_the_class_of_the_nearest_of_them(metric: Metric, k: int) -> None:
    labels = [0, 1, 2, 3] * 8
    gallery = clusters(labels, metric, seed=1, spread=2.0)
    test = clusters(labels * 3, metric, seed=2, spread=2.0)
    expected, tied = [], 0
    for embedding in test.embeddings:
        near = [labels[row] for row in ranked(gallery.embeddings, embedding, metric)[:k]]
        most = max(near.count(label) for label in near)
        winners = [label for label in near if near.count(label) == most]
        tied += len(set(winners)) > 1
        expected.append(winners[0])
    assert tied
    assert neighbor_labels(test.embeddings, gallery, k, metric).tolist() == expected


def test_a_small_gallery_is_asked_for_no_more_than_it_has() -> None:
    test, gallery = clusters(LABELS, "l2", seed=1), clusters([0, 1, 2], "l2", seed=2, classes=4)
    section = retrieval(test, gallery, "l2")
    assert section.gallery_images == 3
    assert [row.k for row in section.neighbour_accuracy] == [1, 3]


def test_the_gallery_need_not_be_of_unit_length_for_the_cosine() -> None:
    gallery, test = (clusters([0, 1, 2] * 9, "l2", seed=seed) for seed in (1, 2))
    unit = Answers(
        gallery.embeddings / np.linalg.norm(gallery.embeddings, axis=1, keepdims=True),
        gallery.probabilities,
        gallery.labels,
        gallery.ids,
    )
    found, expected = (neighbor_labels(test.embeddings, g, 5, "cosine") for g in (gallery, unit))
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(("classes", "n"), [(10, 30), (4, 200)])
def test_the_intervals_hold_what_other_images_would_give(classes: int, n: int) -> None:
    """Other queries and other answers; resampling the queries alone holds MAP@R in 75 %."""

    def drawn(seed: int) -> RetrievalSection:
        labels = np.random.default_rng(seed).permutation(n) % classes
        test = clusters(labels.tolist(), "cosine", seed, classes=classes)
        return retrieval(test, test.take(np.arange(0)), "cosine")

    found = [drawn(seed) for seed in range(100)]
    for measure in ("recall_at_1", "recall_at_5", "r_precision", "map_at_r"):
        estimates = [getattr(each, measure) for each in found]
        truth = np.mean([each.value for each in estimates])
        assert np.mean([each.low <= truth <= each.high for each in estimates]) >= 0.9
        assert np.mean([each.high - each.low for each in estimates]) < 0.7


def test_nothing_but_hits_is_not_certainty() -> None:
    points = np.repeat(np.eye(4), 4, axis=0)
    test = answers(points, np.repeat(np.arange(4), 4).tolist(), "cosine", np.eye(4))
    found = retrieval(test, test, "cosine")
    assert found.recall_at_1 is not None
    assert found.recall_at_1.value == 1
    assert 0.7 < found.recall_at_1.low < 0.85
    assert found.neighbour_accuracy[0].accuracy == proportion(16, 16)
