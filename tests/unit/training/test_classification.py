"""Counts against their definitions, one image at a time."""

import numpy as np
import pytest

from training.evaluate.classification import class_metrics, compare, confusion

NAMES = ("ant", "bee", "cow", "dog")
RANDOM = np.random.default_rng(0)
TRUE = RANDOM.integers(0, 3, 200)  # no dog is shown
PREDICTED = RANDOM.integers(0, 3, 200)


def test_confusion_counts_true_rows_and_predicted_columns() -> None:
    counts = confusion(TRUE, PREDICTED, NAMES).counts
    for row in range(4):
        for column in range(4):
            pairs = zip(TRUE, PREDICTED, strict=True)
            assert counts[row][column] == sum((t, p) == (row, column) for t, p in pairs)


@pytest.mark.parametrize("label", range(4))
def test_each_class_against_the_rest(label: int) -> None:
    row = class_metrics(TRUE, PREDICTED, NAMES)[label]
    pairs = [(t == label, p == label) for t, p in zip(TRUE, PREDICTED, strict=True)]
    assert row.label == NAMES[label]
    assert row.true_positives == pairs.count((True, True))
    assert row.false_negatives == pairs.count((True, False))
    assert row.false_positives == pairs.count((False, True))
    assert row.true_negatives == pairs.count((False, False))
    assert row.support == row.true_positives + row.false_negatives
    if row.support:
        precision = row.true_positives / (row.true_positives + row.false_positives)
        recall = row.true_positives / row.support
        assert (row.precision, row.recall) == pytest.approx((precision, recall))
        assert row.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_rates_of_a_class_that_is_never_seen_are_0() -> None:
    unseen = class_metrics(TRUE, PREDICTED, NAMES)[3]
    assert (unseen.support, unseen.precision, unseen.recall, unseen.f1) == (0, 0, 0, 0)


def test_differences_are_ours_less_the_baselines() -> None:
    own = class_metrics(TRUE, TRUE, NAMES)
    other = class_metrics(TRUE, PREDICTED, NAMES)
    comparison = compare(own, other, "softmax", len(TRUE))
    assert comparison.baseline_accuracy == pytest.approx((TRUE == PREDICTED).mean())
    assert comparison.accuracy_difference == pytest.approx(1 - comparison.baseline_accuracy)
    for row, theirs in zip(comparison.classes, other, strict=True):
        assert row.false_positives == row.false_negatives == 0
        assert row.false_positives_difference == -theirs.false_positives
        assert row.false_negatives_difference == -theirs.false_negatives
