"""Two models on the same test images: who errs where, and whether chance explains it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64
from sklearn.metrics import multilabel_confusion_matrix

from models.evidence.classification import (
    AdjustedMcNemar,
    ClassDifference,
    Comparison,
    McNemar,
    PairDifference,
)
from training.evaluation.intervals import paired_difference
from training.evaluation.significance import adjusted_tests, mcnemar

BASELINE = "softmax"
_PAIRS = 50


@dataclass(frozen=True)
class PairedPredictions:
    """The true classes of n images, and what two models took them for."""

    labels: Int64[np.ndarray, " n"]
    own: Int64[np.ndarray, " n"]
    baseline: Int64[np.ndarray, " n"]
    names: tuple[str, ...]

    def test(
        self, own_right: Bool[np.ndarray, " n"], baseline_right: Bool[np.ndarray, " n"]
    ) -> McNemar:
        """McNemar's test of two ways of being right."""
        return mcnemar(
            int((own_right & ~baseline_right).sum()), int((baseline_right & ~own_right).sum())
        )


def compare_with_baseline(images: PairedPredictions) -> Comparison:
    """Accuracy, errors of each class and confusions of each pair, beside the baseline's."""
    own, baseline = images.own == images.labels, images.baseline == images.labels
    return Comparison(
        baseline=BASELINE,
        baseline_accuracy=float(baseline.mean()),
        accuracy_difference=paired_difference(own, baseline),
        test=images.test(own, baseline),
        classes=_classes(images),
        pairs=_pairs(images),
    )


def _classes(images: PairedPredictions) -> tuple[ClassDifference, ...]:
    every = np.arange(len(images.names))
    own, baseline = (
        multilabel_confusion_matrix(images.labels, predicted, labels=every)
        for predicted in (images.own, images.baseline)
    )
    tests = _recall_tests(images)
    return tuple(
        ClassDifference(
            label=name,
            support=int(mine[1].sum()),
            false_positives=int(mine[0, 1]),
            baseline_false_positives=int(theirs[0, 1]),
            false_positives_difference=int(mine[0, 1] - theirs[0, 1]),
            false_negatives=int(mine[1, 0]),
            baseline_false_negatives=int(theirs[1, 0]),
            false_negatives_difference=int(mine[1, 0] - theirs[1, 0]),
            recall_test=tests.get(label),
        )
        for label, (name, mine, theirs) in enumerate(zip(images.names, own, baseline, strict=True))
    )


def _recall_tests(images: PairedPredictions) -> dict[int, AdjustedMcNemar]:
    own, baseline = images.own == images.labels, images.baseline == images.labels
    classes = len(images.names)
    wins = np.bincount(images.labels[own & ~baseline], minlength=classes)
    losses = np.bincount(images.labels[baseline & ~own], minlength=classes)
    shown = np.unique(images.labels).tolist()
    tests = adjusted_tests([mcnemar(int(wins[label]), int(losses[label])) for label in shown])
    return dict(zip(shown, tests, strict=True))


def _pairs(images: PairedPredictions) -> tuple[PairDifference, ...]:
    pairs = _most_confused_pairs(images)
    tests = adjusted_tests([_pair_test(images, *pair) for pair in pairs])
    rows = []
    for (first, second), test in zip(pairs, tests, strict=True):
        errors, baseline_errors = (
            int(_taken(images.labels, predicted, first, second).sum())
            for predicted in (images.own, images.baseline)
        )
        rows.append(
            PairDifference(
                first=images.names[first],
                second=images.names[second],
                n=int(np.isin(images.labels, (first, second)).sum()),
                errors=errors,
                baseline_errors=baseline_errors,
                difference=errors - baseline_errors,
                test=test,
            )
        )
    return tuple(rows)


def _most_confused_pairs(images: PairedPredictions) -> list[tuple[int, int]]:
    """By the errors of both models together, which favors neither; then by class order."""
    classes = len(images.names)
    mistakes = []
    for predicted in (images.own, images.baseline):
        wrong = predicted != images.labels
        ends = np.sort(np.stack([images.labels[wrong], predicted[wrong]]), axis=0)
        mistakes.append(ends[0] * classes + ends[1])
    pairs, counts = np.unique(np.concatenate(mistakes), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_PAIRS]
    return [divmod(int(pair), classes) for pair in pairs[order]]


def _pair_test(images: PairedPredictions, first: int, second: int) -> McNemar:
    own, baseline = (
        _taken(images.labels, predicted, first, second)
        for predicted in (images.own, images.baseline)
    )
    return images.test(~own, ~baseline)


def _taken(
    labels: Int64[np.ndarray, " n"], predicted: Int64[np.ndarray, " n"], first: int, second: int
) -> Bool[np.ndarray, " n"]:
    """Return the images of the two classes that were taken for the other one."""
    taken: Bool[np.ndarray, " n"] = ((labels == first) & (predicted == second)) | (
        (labels == second) & (predicted == first)
    )
    return taken
