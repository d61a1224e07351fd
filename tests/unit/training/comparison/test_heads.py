"""The four readers, each against a naive way to do the same."""

import numpy as np
import pytest

from models.manifest import Metric
from tests.support.clusters import clusters
from training.comparison.heads import head_swap

TRAIN_LABELS = [row % 3 for row in range(90)]
TEST_LABELS = [row % 3 for row in range(60)]


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_each_reader_is_what_it_says(metric: Metric) -> None:
    train = clusters(TRAIN_LABELS, metric, seed=1)
    test = clusters(TEST_LABELS, metric, seed=2)
    found = head_swap(metric, train, test)

    assert found["own head"] == (test.probabilities.argmax(axis=1) == test.labels).mean()
    means = np.stack([train.embeddings[train.labels == label].mean(axis=0) for label in range(3)])
    nearest = [np.linalg.norm(means - point, axis=1).argmin() for point in test.embeddings]
    assert found["nearest class mean"] == pytest.approx((np.array(nearest) == test.labels).mean())
    votes = []
    for point in test.embeddings:
        near = np.linalg.norm(train.embeddings - point, axis=1).argsort()[:20]
        votes.append(np.bincount(train.labels[near], minlength=3))
    counts = np.array(votes)
    clear = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
    right = (counts.argmax(axis=1) == test.labels)[clear].sum()
    assert right / 60 <= found["k-NN"] <= (right + (~clear).sum()) / 60
    assert found["linear probe"] > 0.6


def test_a_loss_with_a_bad_head_is_not_a_bad_embedding() -> None:
    train = clusters(TRAIN_LABELS, "l2", seed=1, spread=0.1)
    test = clusters(TEST_LABELS, "l2", seed=2, spread=0.1)
    test.probabilities[:] = np.roll(test.probabilities, 1, axis=1)
    found = head_swap("l2", train, test)
    assert found["own head"] == 0.0
    assert min(found[reader] for reader in ("nearest class mean", "k-NN", "linear probe")) == 1.0
