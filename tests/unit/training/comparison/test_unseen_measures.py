"""Measures among classes that were never trained, against loops over images and redrawn sets."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from models.manifest import Metric
from tests.support.clusters import clusters
from training.comparison.image_variance import moved
from training.comparison.unseen_measures import UnseenAnswers, unseen_influences, unseen_values
from training.evaluation.answers import Answers


def unseen(metric: Metric, n: int = 200, seed: int = 5, spread: float = 0.8) -> UnseenAnswers:
    """Four classes, numbered as a data set of ten would."""
    found = clusters(
        np.random.default_rng(seed).integers(4, size=n).tolist(), metric, seed, spread=spread
    )
    return UnseenAnswers(metric, replace(found, labels=np.array([1, 4, 7, 8])[found.labels]))


def distances(answers: Answers) -> np.ndarray:
    """Between all images; those of unit vectors are in the order of their cosines."""
    points = answers.embeddings.astype(float)
    away: np.ndarray = np.linalg.norm(points[:, None] - points, axis=2)
    return away


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_each_image_is_searched_among_the_others_of_unseen_classes(metric: Metric) -> None:
    one = unseen(metric)
    found, labels = unseen_values(one), one.test.labels
    first, averages = [], []
    for query, away in enumerate(distances(one.test)):
        near = [row for row in np.argsort(away) if row != query]
        right = [bool(labels[row] == labels[query]) for row in near]
        relevant = sum(right)
        first.append(right[0])
        averages.append(
            sum(sum(right[: k + 1]) / (k + 1) for k in range(relevant) if right[k]) / relevant
        )
    assert found["unseen_recall_at_1"] == pytest.approx(np.mean(first))
    assert found["unseen_map_at_r"] == pytest.approx(np.mean(averages))
    assert 0.2 < np.mean(averages) < 0.95


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_the_equal_error_rate_is_that_of_scikit_learn(metric: Metric) -> None:
    one = unseen(metric)
    upper = np.triu_indices(len(one.test), 1)
    same = (one.test.labels[:, None] == one.test.labels)[upper]
    accepted, found, _ = roc_curve(same, -distances(one.test)[upper], drop_intermediate=False)
    missed = 1 - found
    nearest = np.argmin(np.abs(missed - accepted))
    expected = (missed[nearest] + accepted[nearest]) / 2
    assert unseen_values(one)["unseen_eer"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_the_spread_over_resamples_is_that_of_other_test_images(metric: Metric) -> None:
    """The resamples of 12 sets of test images, known ones too, against 100 others."""
    values, spreads = [], []
    for seed in range(100):
        one = unseen(metric, 240, seed + 10, spread=0.4)
        values.append(unseen_values(one))
        if seed < 12:
            known = tuple(f"known/{row}" for row in range(360))
            moves = unseen_influences(one, (*known[:100], *one.test.ids, *known[100:]))
            assert all(len(each) == 600 for each in moves.values())
            assert all(not each[:100].any() and not each[340:].any() for each in moves.values())
            spreads.append({name: np.std(moved(each)) for name, each in moves.items()})
    assert set(spreads[0]) == set(values[0])
    for name in values[0]:
        true = np.std([each[name] for each in values])
        assert np.mean([each[name] for each in spreads]) == pytest.approx(true, rel=0.4), name


@pytest.mark.parametrize("labels", [[0] * 40, list(range(40))])
def test_nothing_is_measured_where_no_answer_could_be_wrong_or_right(labels: list[int]) -> None:
    one = UnseenAnswers("l2", clusters(labels, "l2", seed=3))
    assert unseen_values(one) == {}
    assert unseen_influences(one, one.test.ids) == {}
