"""Counts of right and wrong: accuracy, each class against the rest, the confusion matrix."""

import math

import numpy as np
from jaxtyping import Bool, Int64
from sklearn.metrics import (
    confusion_matrix,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
)

from models.evidence.baseline import majority
from models.evidence.classification import (
    Classification,
    ClassMetrics,
    ConfusedPair,
    Confusion,
)
from models.evidence.estimate import Estimate
from training.evaluation.answers import Answers
from training.evaluation.intervals import proportion, share
from training.evaluation.paired_models import PairedPredictions, compare_with_baseline

_LARGEST_MATRIX = 500
_CONFUSED = 10
_EXAMPLES = 6


def classification_section(
    answers: Answers, names: tuple[str, ...], baseline: Int64[np.ndarray, " n"] | None
) -> Classification:
    """Measure how often the right class is named, of `names` in output order.

    `baseline` is what softmax predicts for the same images, in the same order; None where it is
    not available.
    """
    labels, predicted = answers.labels, answers.predicted
    rows = _class_metrics(labels, predicted, names)
    return Classification(
        n=len(answers),
        accuracy=share(labels == predicted),
        majority=majority({row.label: row.support for row in rows}),
        top3_accuracy=share(among_top(answers, 3)) if len(names) >= 4 else None,
        macro_f1=_mean([row.f1 for row in rows]),
        balanced_accuracy=_mean([row.recall for row in rows]),
        classes=rows,
        confusion=_confusion(labels, predicted, names) if len(names) <= _LARGEST_MATRIX else None,
        most_confused=_most_confused(answers, names),
        against_softmax=None
        if baseline is None
        else compare_with_baseline(PairedPredictions(labels, predicted, baseline, names)),
    )


def among_top(answers: Answers, k: int) -> Bool[np.ndarray, " n"]:
    """Return whether the true class is among the k most probable; ties go to the first."""
    probabilities, labels = answers.probabilities, answers.labels[:, None]
    true = np.take_along_axis(probabilities, labels, axis=1)
    earlier = np.arange(probabilities.shape[1]) < labels
    ahead = (probabilities > true) | ((probabilities == true) & earlier)
    among: Bool[np.ndarray, " n"] = ahead.sum(axis=1) < k
    return among


def _mean(rates: list[float | None]) -> float:
    """Of the rates that are defined; one always is."""
    return float(np.mean([rate for rate in rates if rate is not None]))


def _class_metrics(
    labels: Int64[np.ndarray, " n"], predicted: Int64[np.ndarray, " n"], names: tuple[str, ...]
) -> tuple[ClassMetrics, ...]:
    every = np.arange(len(names))
    counts = multilabel_confusion_matrix(labels, predicted, labels=every)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=np.nan
    )
    return tuple(
        ClassMetrics(
            label=name,
            support=int(support[row]),
            precision=_defined(precision[row]),
            recall=_defined(recall[row]),
            recall_interval=_recall(int(counts[row, 1, 1]), int(support[row])),
            f1=_defined(f1[row]),
            true_positives=int(counts[row, 1, 1]),
            false_positives=int(counts[row, 0, 1]),
            false_negatives=int(counts[row, 1, 0]),
            true_negatives=int(counts[row, 0, 0]),
        )
        for row, name in enumerate(names)
    )


def _recall(found: int, support: int) -> Estimate | None:
    return proportion(found, support) if support else None


def _defined(rate: float) -> float | None:
    return None if math.isnan(rate) else float(rate)


def count_confusions(
    labels: Int64[np.ndarray, " n"], predicted: Int64[np.ndarray, " n"], classes: int
) -> tuple[tuple[int, ...], ...]:
    """Counts [c, c]: rows are true classes, columns predicted ones."""
    counts = confusion_matrix(labels, predicted, labels=np.arange(classes))
    return tuple(tuple(row) for row in counts.tolist())


def _confusion(
    labels: Int64[np.ndarray, " n"], predicted: Int64[np.ndarray, " n"], names: tuple[str, ...]
) -> Confusion:
    counts = count_confusions(labels, predicted, len(names))
    totals = np.sum(counts, axis=1, keepdims=True)
    rates = np.array(counts) / np.maximum(totals, 1)
    return Confusion(
        labels=names,
        counts=counts,
        rates=tuple(tuple(row) for row in rates.tolist()),
    )


def _most_confused(answers: Answers, names: tuple[str, ...]) -> tuple[ConfusedPair, ...]:
    wrong = np.flatnonzero(answers.predicted != answers.labels)
    pairs, counts = np.unique(
        np.stack([answers.labels[wrong], answers.predicted[wrong]], axis=1),
        axis=0,
        return_counts=True,
    )
    support = np.bincount(answers.labels, minlength=len(names))
    rates = counts / support[pairs[:, 0]]
    order = np.lexsort((-rates, -counts))[:_CONFUSED]
    return tuple(
        ConfusedPair(
            actual=names[pairs[row, 0]],
            predicted=names[pairs[row, 1]],
            count=int(counts[row]),
            rate=float(rates[row]),
            examples=_examples(answers, *pairs[row].tolist()),
        )
        for row in order
    )


def _examples(answers: Answers, actual: int, predicted: int) -> tuple[str, ...]:
    rows = np.flatnonzero((answers.labels == actual) & (answers.predicted == predicted))
    confidence = answers.probabilities[rows, predicted]
    surest = rows[np.argsort(-confidence, kind="stable")[:_EXAMPLES]]
    return tuple(answers.ids[row] for row in surest)
