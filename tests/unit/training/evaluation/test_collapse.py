"""Neural collapse and margins against the paper's formulas, written out."""

import math

import numpy as np
import pytest

from models.manifest import Metric
from tests.support.clusters import answers, clusters
from training.evaluation import collapse as module
from training.evaluation.answers import Answers
from training.evaluation.collapse import class_margins, margin, margins_rad, neural_collapse

LABELS = [0] * 17 + [1] * 9 + [2] * 5 + [3] * 2
WEIGHTS = np.random.default_rng(5).normal(size=(4, 6)).astype(np.float32)
METRICS: tuple[Metric, ...] = ("cosine", "l2")


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    chosen: Metric = request.param
    return chosen


def simplex(metric: Metric, noise: float, images: int = 5) -> Answers:
    """4 classes whose means are the corners of a regular simplex."""
    corners = np.eye(4) - 0.25
    labels = [label for label in range(4) for _ in range(images)]
    points = corners[labels] + noise * np.random.default_rng(0).normal(size=(len(labels), 4))
    return answers(points, labels, metric, corners)


@pytest.mark.parametrize("dimension", [2, 6])
def test_nc_1_by_the_covariances_and_the_pseudo_inverse(metric: Metric, dimension: int) -> None:
    train = clusters(LABELS, metric, seed=1, dimension=dimension)
    points = train.embeddings.astype(float)
    means = np.array([points[train.labels == label].mean(axis=0) for label in range(4)])
    gaps = means - means.mean(axis=0)
    between = sum(np.outer(row, row) for row in gaps) / 4
    offsets = points - means[train.labels]
    within = sum(np.outer(row, row) for row in offsets) / len(points)
    expected = np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / 4
    found = neural_collapse(train, train, None)
    assert found.nc1_within_over_between == pytest.approx(expected)
    assert (found.train_images, found.classes) == (33, 4)


def test_nc_2_and_3_by_loops_over_the_classes(metric: Metric) -> None:
    train = clusters(LABELS, metric, seed=1, dimension=6)
    points = train.embeddings.astype(float)
    means = np.array([points[train.labels == label].mean(axis=0) for label in range(4)])
    gaps = means - means.mean(axis=0)
    norms = [math.hypot(*row) for row in gaps]
    cosines = [
        float(gaps[i] @ gaps[j]) / norms[i] / norms[j] for i in range(4) for j in range(4) if i != j
    ]
    dual = WEIGHTS / np.linalg.norm(WEIGHTS) - gaps / np.linalg.norm(gaps)
    found = neural_collapse(train, train, WEIGHTS)
    assert found.nc2_norm_variation == pytest.approx(np.std(norms) / np.mean(norms))
    assert found.nc2_cosine_std == pytest.approx(np.std(cosines))
    assert found.nc2_cosine_offset == pytest.approx(np.mean([abs(c + 1 / 3) for c in cosines]))
    assert found.nc3_self_duality == pytest.approx(np.linalg.norm(dual) ** 2)


def test_nc_4_counts_where_head_and_nearest_training_mean_differ(metric: Metric) -> None:
    train = clusters(LABELS, metric, seed=1, spread=1.5)
    test = clusters(LABELS * 3, metric, seed=2, spread=1.5)
    means = [train.embeddings[train.labels == label].mean(axis=0) for label in range(4)]
    differ = 0
    for embedding, predicted in zip(test.embeddings, test.predicted, strict=True):
        differ += int(np.argmin([math.dist(embedding, mean) for mean in means]) != predicted)
    assert 0 < differ < len(test)
    assert neural_collapse(train, test, None).nc4_disagreement == differ / len(test)


def test_a_collapsed_model_has_0_everywhere(metric: Metric) -> None:
    train = simplex(metric, noise=0)
    corners = (5 * (np.eye(4) - 0.25)).astype(np.float32)  # any multiple
    found = neural_collapse(train, train, corners)
    assert found.nc1_within_over_between == pytest.approx(0, abs=1e-9)
    assert found.nc2_norm_variation == pytest.approx(0, abs=1e-6)
    assert found.nc2_cosine_std == pytest.approx(0, abs=1e-6)
    assert found.nc2_cosine_offset == pytest.approx(0, abs=1e-6)
    assert found.nc3_self_duality == pytest.approx(0, abs=1e-6)
    assert found.nc4_disagreement == 0


def test_noise_is_less_collapse(metric: Metric) -> None:
    quiet, loud = (neural_collapse(simplex(metric, noise, 50), simplex(metric, noise), None)
                   for noise in (0.05, 0.2))  # fmt: skip
    assert quiet.nc1_within_over_between is not None
    assert loud.nc1_within_over_between is not None
    assert loud.nc1_within_over_between > 5 * quiet.nc1_within_over_between


def test_without_class_weights_there_is_no_duality(metric: Metric) -> None:
    train = simplex(metric, noise=0.1)
    assert neural_collapse(train, train, None).nc3_self_duality is None
    assert neural_collapse(train, train, np.zeros((4, 4), np.float32)).nc3_self_duality is None


def test_classes_without_training_images_are_left_out() -> None:
    present = clusters([0] * 5 + [1] * 7 + [3] * 4, "l2", seed=1, dimension=6)
    renamed = Answers(
        present.embeddings,
        present.probabilities[:, [0, 1, 3]],
        np.searchsorted([0, 1, 3], present.labels),
        present.ids,
    )
    found = neural_collapse(present, present, WEIGHTS)
    expected = neural_collapse(renamed, renamed, WEIGHTS[[0, 1, 3]])
    assert found.model_dump(exclude={"nc4_disagreement"}) == pytest.approx(
        expected.model_dump(exclude={"nc4_disagreement"})
    )


@pytest.mark.parametrize("labels", [[], [2], [2, 2, 2]])
def test_fewer_than_two_classes_have_no_collapse(labels: list[int]) -> None:
    train = clusters(labels, "l2", seed=1, classes=4, dimension=6)
    found = neural_collapse(train, simplex("l2", 0.1, 0), WEIGHTS)
    numbers = found.model_dump(exclude={"train_images", "classes"})
    assert set(numbers.values()) == {None}
    assert np.isnan(margins_rad(train, clusters([2, 0], "l2", 1, 4, 6))).all()


def test_class_means_that_do_not_differ_have_no_collapse() -> None:
    train = answers(np.full((30, 3), 0.1), [0, 1, 2] * 10, "l2", np.eye(3))
    found = neural_collapse(train, train, None)
    assert found.nc1_within_over_between is found.nc2_cosine_std is None
    assert found.nc2_norm_variation is found.nc3_self_duality is None


@pytest.mark.parametrize("block", [1, 2**22])
def test_margins_by_loops(metric: Metric, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_ITEMS", block)
    train, test = (clusters(LABELS, metric, seed=seed, spread=1.2) for seed in (1, 2))
    means = [train.embeddings[train.labels == c].astype(float).mean(axis=0) for c in range(4)]
    expected = []
    for embedding, label in zip(test.embeddings.astype(float), test.labels, strict=True):
        angles = [
            math.acos(float(embedding @ mean) / math.hypot(*embedding) / math.hypot(*mean))
            for mean in means
        ]
        expected.append(min(a for c, a in enumerate(angles) if c != label) - angles[label])
    found = margins_rad(train, test)
    assert found == pytest.approx(np.array(expected), abs=1e-6)
    rows = class_margins(found, test.labels, ("ant", "bee", "cow", "dog"))
    for label, row in enumerate(rows):
        own = np.array(expected)[test.labels == label]
        assert row.margin is not None
        assert row.margin.images == len(own)
        assert row.margin.mean_rad == pytest.approx(own.mean(), abs=1e-6)
        assert row.margin.std_rad == pytest.approx(own.std(), abs=1e-6)
        assert row.margin.percentile_5_rad == pytest.approx(np.percentile(own, 5), abs=1e-6)
        assert row.margin.share_negative == sum(value < 0 for value in own) / len(own)


def test_margins_of_a_class_without_test_or_training_images() -> None:
    train = clusters([0, 0, 1, 1, 3], "cosine", seed=1, classes=4)
    test = clusters([0, 1, 2, 2], "cosine", seed=2, classes=4)
    values = margins_rad(train, test)
    assert np.isnan(values).tolist() == [False, False, True, True]
    rows = class_margins(values, test.labels, ("ant", "bee", "cow", "dog"))
    assert [row.margin is None for row in rows] == [False, False, True, True]
    overall = margin(values)
    assert overall is not None
    assert overall.images == 2
