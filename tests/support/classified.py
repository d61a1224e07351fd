"""A synthetic classification section, from one confusion matrix."""

import numpy as np
from numpy.typing import NDArray

from models.evidence.baseline import majority
from models.evidence.classification import (
    AdjustedMcNemar,
    ClassDifference,
    Classification,
    ClassMetrics,
    Comparison,
    ConfusedPair,
    Confusion,
    McNemar,
    PairDifference,
)
from models.evidence.estimate import Estimate

LABELS = ("aeroplane", "bird", "cat", "deer", "dog", "frog", "horse", "lorry", "ship", "van")
N = 1000  # test images
_TEST = McNemar(
    only_own_right=61, only_baseline_right=51, statistic=0.7232, p_value=0.3951, exact=False
)
_CLASS_TEST = AdjustedMcNemar(
    only_own_right=7,
    only_baseline_right=6,
    statistic=6.0,
    p_value=0.8123,
    exact=True,
    p_adjusted=0.9123,
)


def classification(name: str, *, least: bool = False) -> Classification:
    """Against softmax unless it is softmax; `least` leaves undefined whatever may be."""
    counts = _confusion()
    accuracy = float(np.trace(counts)) / N
    classes = [_class(counts, i) for i in range(len(LABELS))]
    if least:
        undefined = {"precision": None, "recall": None, "f1": None}
        classes = [one.model_copy(update=undefined) for one in classes]
    return Classification(
        n=N,
        accuracy=Estimate(value=accuracy, low=accuracy - 0.024, high=accuracy + 0.023),
        majority=None if least else majority({one.label: one.support for one in classes}),
        top3_accuracy=None if least else Estimate(value=0.9561, low=0.9432, high=0.9687),
        macro_f1=float(np.mean([_class(counts, i).f1 or 0.0 for i in range(len(LABELS))])),
        balanced_accuracy=accuracy,
        classes=tuple(classes),
        confusion=None if least else _as_confusion(counts),
        most_confused=() if least else _most_confused(counts),
        against_softmax=None if name == "softmax" else _comparison(classes, accuracy),
    )


def _confusion() -> NDArray[np.int64]:
    rng = np.random.default_rng(3)
    counts = rng.poisson(2, (len(LABELS), len(LABELS)))
    counts[2, 4] += 11
    counts[np.diag_indices(len(LABELS))] = 0
    counts[np.diag_indices(len(LABELS))] = N // len(LABELS) - counts.sum(axis=1)
    return counts


def _as_confusion(counts: NDArray[np.int64]) -> Confusion:
    rates = counts / counts.sum(axis=1, keepdims=True)
    return Confusion(
        labels=LABELS,
        counts=tuple(map(tuple, counts.tolist())),
        rates=tuple(map(tuple, rates.tolist())),
    )


def _most_confused(counts: NDArray[np.int64]) -> tuple[ConfusedPair, ...]:
    off = counts.copy()
    off[np.diag_indices(len(LABELS))] = 0
    worst = np.argsort(-off, axis=None, kind="stable")[:10]
    return tuple(_pair(off, *divmod(int(flat), len(LABELS))) for flat in worst)


def _pair(counts: NDArray[np.int64], i: int, j: int) -> ConfusedPair:
    return ConfusedPair(
        actual=LABELS[i],
        predicted=LABELS[j],
        count=int(counts[i, j]),
        rate=int(counts[i, j]) / 100,
        examples=tuple(f"test/{LABELS[i]}/{n:04d}.jpg" for n in range(min(6, counts[i, j]))),
    )


def _class(counts: NDArray[np.int64], i: int) -> ClassMetrics:
    tp = int(counts[i, i])
    fp, fn = int(counts[:, i].sum()) - tp, int(counts[i].sum()) - tp
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return ClassMetrics(
        label=LABELS[i],
        support=tp + fn,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall),
        true_positives=tp,
        false_positives=fp,
        false_negatives=fn,
        true_negatives=int(counts.sum()) - tp - fp - fn,
    )


def _comparison(classes: list[ClassMetrics], accuracy: float) -> Comparison:
    return Comparison(
        baseline="softmax",
        baseline_accuracy=accuracy - 0.01,
        accuracy_difference=Estimate(value=0.01, low=-0.0104, high=0.0303),
        test=_TEST,
        classes=tuple(
            _difference(one, shift)
            for shift, one in zip((3, 0, -2, 1, 5, -1, 0, 2, 1, 1), classes, strict=True)
        ),
        pairs=(
            PairDifference(
                first="cat",
                second="dog",
                n=200,
                errors=17,
                baseline_errors=19,
                difference=-2,
                test=_CLASS_TEST,
            ),
        ),
    )


def _difference(one: ClassMetrics, shift: int) -> ClassDifference:
    return ClassDifference(
        label=one.label,
        support=one.support,
        false_positives=one.false_positives,
        baseline_false_positives=one.false_positives + shift,
        false_positives_difference=-shift,
        false_negatives=one.false_negatives,
        baseline_false_negatives=one.false_negatives + 1,
        false_negatives_difference=-1,
        recall_test=None if one.recall is None else _CLASS_TEST,
    )
