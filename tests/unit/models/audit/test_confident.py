"""Confident learning against cleanlab, its authors' implementation, on random labels."""

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from models.audit.confident import find_label_errors


@pytest.mark.parametrize("seed", range(20))
def test_the_same_errors_as_cleanlab(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(40, 400)), int(rng.integers(2, 9))
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n)]).astype(np.int64)
    logits = rng.normal(size=(len(labels), classes)) * rng.uniform(0.5, 4)
    logits[np.arange(len(labels)), labels] += rng.uniform(0, 3)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = find_label_errors(labels, probabilities)
    expected = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    assert found.probable.tolist() == expected.tolist()
    scores = get_label_quality_scores(labels, probabilities, method="self_confidence")
    assert np.allclose(found.confidence, scores)
    assert (np.diff(found.confidence[found.ranked]) >= 0).all()


def test_flipped_labels_are_the_first_where_classes_are_clear() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 50)
    probabilities = np.full((200, 4), 0.02)
    probabilities[np.arange(200), truth] = 0.94
    labels = truth.astype(np.int64)
    flipped = rng.choice(200, 6, replace=False)
    labels[flipped] = (labels[flipped] + 1) % 4
    found = find_label_errors(labels, probabilities)
    assert set(np.flatnonzero(found.probable)) == set(flipped)
    assert set(found.ranked[:6]) == set(flipped)
    assert (found.suggested == truth).all()


def test_a_class_without_images_is_never_reached() -> None:
    probabilities = np.array([[0.2, 0.0, 0.8], [0.2, 0.0, 0.8], [0.1, 0.0, 0.9]])
    found = find_label_errors(np.array([0, 0, 0]), probabilities)
    assert not found.probable.any()
