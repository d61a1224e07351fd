"""Counts of right and wrong: the confusion matrix, each class against the rest, two models."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from models.report import ClassDifference, ClassMetrics, Comparison, Confusion

Labels = NDArray[np.int64]


def confusion(true: Labels, predicted: Labels, names: tuple[str, ...]) -> Confusion:
    """Counts [c, c]: rows are true classes, columns predicted ones."""
    counts = confusion_matrix(true, predicted, labels=range(len(names)))
    return Confusion(labels=names, counts=tuple(tuple(row) for row in counts.tolist()))


def class_metrics(true: Labels, predicted: Labels, names: tuple[str, ...]) -> list[ClassMetrics]:
    """Each class against the rest; undefined rates are 0."""
    rates = precision_recall_fscore_support(
        true, predicted, labels=range(len(names)), zero_division=0
    )
    counts = confusion_matrix(true, predicted, labels=range(len(names)))
    hits = counts.diagonal()
    wrongly, missed = counts.sum(axis=0) - hits, counts.sum(axis=1) - hits
    return [
        ClassMetrics(
            label=name,
            support=int(rates[3][row]),
            precision=float(rates[0][row]),
            recall=float(rates[1][row]),
            f1=float(rates[2][row]),
            true_positives=int(hits[row]),
            false_positives=int(wrongly[row]),
            false_negatives=int(missed[row]),
            true_negatives=int(counts.sum() - hits[row] - wrongly[row] - missed[row]),
        )
        for row, name in enumerate(names)
    ]


def compare(
    own: list[ClassMetrics], other: list[ClassMetrics], baseline: str, total: int
) -> Comparison:
    """False positives and negatives beside a baseline's, class by class, of `total` images."""
    own_accuracy, accuracy = (
        sum(row.true_positives for row in rows) / total for rows in (own, other)
    )
    return Comparison(
        baseline=baseline,
        baseline_accuracy=accuracy,
        accuracy_difference=own_accuracy - accuracy,
        classes=tuple(
            ClassDifference(
                label=mine.label,
                false_positives=mine.false_positives,
                baseline_false_positives=theirs.false_positives,
                false_positives_difference=mine.false_positives - theirs.false_positives,
                false_negatives=mine.false_negatives,
                baseline_false_negatives=theirs.false_negatives,
                false_negatives_difference=mine.false_negatives - theirs.false_negatives,
            )
            for mine, theirs in zip(own, other, strict=True)
        ),
    )
