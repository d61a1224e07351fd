"""Counts against their definitions, one image at a time, and against scikit-learn."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    top_k_accuracy_score,
)

from models.evidence.classification import Classification, Comparison
from tests.support.answered import NAMES, answered, made_up
from training.evaluation.answers import Answers
from training.evaluation.classification import classification_section
from training.evaluation.intervals import proportion
from training.evaluation.significance import mcnemar

CASES = [(2, 40), (4, 300), (10, 2_000)]


def section(answers: Answers, baseline: np.ndarray | None = None) -> Classification:
    names = NAMES[: answers.probabilities.shape[1]]
    return classification_section(answers, names, baseline)


@pytest.mark.parametrize(("classes", "n"), CASES)
def test_headlines_are_scikit_learns(classes: int, n: int) -> None:
    answers = made_up(n, classes, seed=classes)
    found, labels, predicted = section(answers), answers.labels, answers.predicted
    assert found.n == n
    assert found.accuracy.value == (labels == predicted).mean()
    assert found.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, predicted))
    if found.top3_accuracy is None:
        assert classes < 4
    else:
        expected = top_k_accuracy_score(labels, answers.probabilities, k=3)
        assert found.top3_accuracy.value == pytest.approx(expected)


def test_the_third_of_equal_probabilities_is_among_three_and_the_fourth_is_not() -> None:
    answers = answered(np.full((5, 5), 0.2), np.arange(5))
    top3 = section(answers).top3_accuracy
    assert top3 is not None
    assert top3.value == 3 / 5


def test_a_class_without_images_is_left_out_of_the_means() -> None:
    probabilities = np.eye(4)[[0, 0, 1, 1, 1]]
    answers = answered(probabilities, np.array([0, 0, 0, 1, 1]))
    found = section(answers)
    assert found.balanced_accuracy == pytest.approx((2 / 3 + 1) / 2)
    assert found.macro_f1 == pytest.approx(0.8)
    assert [row.recall for row in found.classes[2:]] == [None, None]
    assert [row.precision for row in found.classes[2:]] == [None, None]
    assert [row.f1 for row in found.classes[2:]] == [None, None]
    assert found.confusion is not None
    assert found.confusion.rates[2] == (0, 0, 0, 0)


@pytest.mark.parametrize(("classes", "n"), CASES)
def test_each_class_against_the_rest(classes: int, n: int) -> None:
    answers = made_up(n, classes, seed=classes + 1)
    for label, row in enumerate(section(answers).classes):
        pairs = Counter(
            (bool(t == label), bool(p == label))
            for t, p in zip(answers.labels, answers.predicted, strict=True)
        )
        assert row.label == NAMES[label]
        assert row.true_positives == pairs[True, True]
        assert row.false_negatives == pairs[True, False]
        assert row.false_positives == pairs[False, True]
        assert row.true_negatives == pairs[False, False]
        assert row.support == row.true_positives + row.false_negatives
        precision = row.true_positives / (row.true_positives + row.false_positives)
        recall = row.true_positives / row.support
        assert (row.precision, row.recall) == pytest.approx((precision, recall))
        assert row.recall_interval == proportion(row.true_positives, row.support)
        assert row.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_confusion_counts_true_rows_and_predicted_columns() -> None:
    answers = made_up(300, 4, seed=5)
    found = section(answers).confusion
    assert found is not None
    expected = confusion_matrix(answers.labels, answers.predicted)
    assert found.counts == tuple(map(tuple, expected.tolist()))
    assert found.rates[1][2] == expected[1, 2] / expected[1].sum()
    assert [sum(row) for row in found.rates] == pytest.approx([1] * 4)


def test_the_most_confused_pairs_show_their_most_confident_mistakes() -> None:
    answers = made_up(900, 6, seed=6)
    found = section(answers).most_confused
    mistakes = Counter(
        (int(t), int(p)) for t, p in zip(answers.labels, answers.predicted, strict=True) if t != p
    )
    assert [row.count for row in found] == [count for _, count in mistakes.most_common(10)]
    for row in found:
        actual, predicted = NAMES.index(row.actual), NAMES.index(row.predicted)
        chosen = (answers.labels == actual) & (answers.predicted == predicted)
        assert row.count == mistakes[actual, predicted]
        assert row.rate == pytest.approx(row.count / (answers.labels == actual).sum())
        by_confidence = sorted(
            np.flatnonzero(chosen), key=lambda image: -answers.probabilities[image, predicted]
        )
        assert row.examples == tuple(answers.ids[image] for image in by_confidence[:6])


def test_a_faultless_model_confuses_nothing() -> None:
    labels = np.arange(40) % 4
    found = section(answered(np.eye(4)[labels], labels), baseline=labels)
    assert found.most_confused == ()
    assert found.against_softmax is not None
    assert found.against_softmax.pairs == ()
    assert found.against_softmax.test.p_value == 1


def test_one_image_is_enough() -> None:
    answers = answered(np.eye(4)[[1]], np.array([2]))
    found = section(answers, baseline=np.array([2]))
    assert (found.accuracy.value, found.macro_f1, found.balanced_accuracy) == (0, 0, 0)


def test_a_matrix_of_thousands_of_classes_is_left_out() -> None:
    labels = np.arange(501)
    answers = answered(np.eye(501)[(labels + (labels < 3)) % 501], labels)
    names = tuple(map(str, labels.tolist()))
    found = classification_section(answers, names, labels)
    assert found.confusion is None
    assert {(row.actual, row.predicted) for row in found.most_confused} == {
        ("0", "1"),
        ("1", "2"),
        ("2", "3"),
    }


ANSWERS = made_up(1_500, 5, seed=7)
BASELINE: NDArray[np.int64] = np.where(
    np.arange(1_500) % 2, ANSWERS.predicted, made_up(1_500, 5, seed=8).predicted
)


@pytest.fixture(scope="module")
def found() -> Comparison:
    found = section(ANSWERS, BASELINE).against_softmax
    assert found is not None
    return found


def test_accuracies_are_compared_on_the_same_images(found: Comparison) -> None:
    own, baseline = (predicted == ANSWERS.labels for predicted in (ANSWERS.predicted, BASELINE))
    assert found.baseline == "softmax"
    assert found.baseline_accuracy == baseline.mean()
    assert found.accuracy_difference.value == pytest.approx(own.mean() - baseline.mean())
    wins, losses = int((own & ~baseline).sum()), int((baseline & ~own).sum())
    assert found.test == mcnemar(wins, losses)


def test_each_class_has_both_models_errors(found: Comparison) -> None:
    labels = ANSWERS.labels
    for label, row in enumerate(found.classes):
        mine, theirs = (np.equal(predicted, label) for predicted in (ANSWERS.predicted, BASELINE))
        actual = labels == label
        assert (row.label, row.support) == (NAMES[label], actual.sum())
        assert row.false_positives == (mine & ~actual).sum()
        assert row.baseline_false_positives == (theirs & ~actual).sum()
        assert row.false_negatives == (~mine & actual).sum()
        assert row.baseline_false_negatives == (~theirs & actual).sum()
        assert row.false_positives_difference == int(mine[~actual].sum()) - int(
            theirs[~actual].sum()
        )
        assert row.false_negatives_difference == int(theirs[actual].sum()) - int(mine[actual].sum())


def test_recall_is_tested_on_the_images_of_the_class(found: Comparison) -> None:
    for label, row in enumerate(found.classes):
        mine, theirs = (np.equal(predicted, label) for predicted in (ANSWERS.predicted, BASELINE))
        actual = ANSWERS.labels == label
        wins, losses = (actual & mine & ~theirs).sum(), (actual & theirs & ~mine).sum()
        test = mcnemar(int(wins), int(losses))
        assert row.recall_test is not None
        assert row.recall_test.model_dump(exclude={"p_adjusted"}) == test.model_dump()
        assert row.recall_test.p_adjusted >= test.p_value
    least = min(row.recall_test.p_value for row in found.classes if row.recall_test)
    assert min(
        row.recall_test.p_adjusted for row in found.classes if row.recall_test
    ) == pytest.approx(5 * least)


def test_each_pair_is_tested_on_the_images_of_both_classes(found: Comparison) -> None:
    assert len({frozenset((row.first, row.second)) for row in found.pairs}) == 10
    for row in found.pairs:
        ends = NAMES.index(row.first), NAMES.index(row.second)
        wins = losses = errors = baseline_errors = n = 0
        rows = zip(ANSWERS.labels, ANSWERS.predicted, BASELINE, strict=True)
        for label, mine, theirs in rows:
            if label not in ends:
                continue
            other = ends[1] if label == ends[0] else ends[0]
            n += 1
            errors += mine == other
            baseline_errors += theirs == other
            wins += theirs == other != mine
            losses += mine == other != theirs
        assert (row.n, row.errors, row.baseline_errors) == (n, errors, baseline_errors)
        assert row.difference == errors - baseline_errors
        test = mcnemar(int(wins), int(losses))
        assert row.test.model_dump(exclude={"p_adjusted"}) == test.model_dump()
    together = [row.errors + row.baseline_errors for row in found.pairs]
    assert together == sorted(together, reverse=True)


def test_a_class_without_images_is_not_tested() -> None:
    labels = np.array([0, 0, 1, 1])
    answers = answered(np.eye(3)[[0, 1, 1, 2]], labels)
    found = section(answers, baseline=np.array([0, 0, 1, 1])).against_softmax
    assert found is not None
    assert [row.recall_test is None for row in found.classes] == [False, False, True]
    assert [(row.first, row.second, row.errors) for row in found.pairs] == [
        ("ant", "bee", 1),
        ("bee", "cow", 1),
    ]


def test_the_model_beside_itself_is_a_tie() -> None:
    found = section(ANSWERS, ANSWERS.predicted).against_softmax
    assert found is not None
    assert found.accuracy_difference.value == 0
    assert found.accuracy_difference.low < 0 < found.accuracy_difference.high
    assert all(row.test.p_adjusted == 1 for row in found.pairs)
