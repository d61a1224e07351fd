"""Risk and coverage against a loop over images, and the threshold that is chosen from them."""

import itertools

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from models.evidence.selective import RiskCoverage, threshold_for
from tests.support.answered import answered, made_up, sure
from training.evaluation.answers import Answers
from training.evaluation.selective import risk_coverage, upper_bounds


def outcomes(answers: Answers) -> list[tuple[float, bool]]:
    """Confidence and whether it was wrong, one image after the other."""
    confidence = np.minimum(answers.probabilities.max(axis=1).astype(float), 1).tolist()
    return list(zip(confidence, (answers.predicted != answers.labels).tolist(), strict=True))


def tied(answers: Answers) -> Answers:
    """The same with confidences rounded to hundredths."""
    return answered(np.round(answers.probabilities, 2), answers.labels)


CASES = [made_up(25, 2, 0), made_up(400, 5, 1), tied(made_up(400, 3, 2)), made_up(1_000, 10, 3)]


@pytest.mark.parametrize("answers", CASES)
def test_every_row_of_the_curve_counts_the_images_above_its_threshold(answers: Answers) -> None:
    for row in risk_coverage(answers, answers).curve:
        accepted = [wrong for confidence, wrong in outcomes(answers) if confidence >= row.threshold]
        assert (row.n, row.errors) == (len(accepted), sum(accepted))
        assert row.coverage == row.n / len(answers)
        assert row.error == row.errors / row.n


@pytest.mark.parametrize("answers", CASES)
def test_the_curve_has_the_least_coverages_from_each_two_hundredth_up(answers: Answers) -> None:
    n = len(answers)
    confidences = sorted((confidence for confidence, _ in outcomes(answers)), reverse=True)
    there = sorted({sum(each >= cut for each in confidences) for cut in confidences})
    expected = sorted({min(k for k in there if 200 * k >= j * n) for j in range(1, 201)})
    curve = risk_coverage(answers, answers).curve
    assert [row.n for row in curve] == expected
    assert all(above.threshold > below.threshold for above, below in itertools.pairwise(curve))
    assert curve[-1].coverage == 1


@pytest.mark.parametrize("answers", [CASES[0], CASES[1], CASES[3]])
def test_aurc_is_the_mean_error_over_all_coverages(answers: Answers) -> None:
    found = risk_coverage(answers, answers)
    surest_first = [wrong for _, wrong in sorted(outcomes(answers), reverse=True)]
    assert found.aurc == pytest.approx(mean_risk(surest_first))
    assert found.excess_aurc == pytest.approx(found.aurc - mean_risk(sorted(surest_first)))


@pytest.mark.parametrize("answers", CASES)
def test_augrc_is_the_chance_that_a_wrong_image_is_accepted_at_a_random_coverage(
    answers: Answers,
) -> None:
    """In the form of arXiv 2407.01032 with the AUROC of failures, and in pairs of images."""
    found = risk_coverage(answers, answers)
    confidence, wrong = (np.array(column) for column in zip(*outcomes(answers), strict=True))
    accuracy = 1 - wrong.mean()
    auroc = roc_auc_score(~wrong, confidence)
    area = (1 - auroc) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert found.augrc is not None
    assert found.augrc.value == pytest.approx(area)
    assert found.augrc.low < area < found.augrc.high
    below = (confidence[:, None] > confidence) + (confidence[:, None] == confidence) / 2
    assert found.augrc.value == pytest.approx((wrong[:, None] * below).mean())
    assert found.excess_augrc == pytest.approx(area - (1 - accuracy) ** 2 / 2)


def upper_bound(errors: int, n: int) -> float:
    return float(upper_bounds(np.array([errors]), np.array([n]))[0])


def mean_risk(wrong: list[bool]) -> float:
    risks = [sum(wrong[:k]) / k for k in range(1, len(wrong) + 1)]
    return sum(risks) / len(risks)


def test_aurc_of_ties_is_the_mean_over_their_orders() -> None:
    answers = sure([0.9, 0.8, 0.8, 0.8, 0.8, 0.6], [True, False, True, True, False, False])
    orders = [
        mean_risk([False, *middle, True])
        for middle in itertools.permutations([True, False, False, True])
    ]
    assert risk_coverage(answers, answers).aurc == pytest.approx(sum(orders) / len(orders))


@pytest.mark.parametrize("answers", CASES)
def test_statements_reach_their_coverage_and_bound_the_error(answers: Answers) -> None:
    found = risk_coverage(answers, answers).statements
    assert [row.target_coverage for row in found] == [0.8, 0.9, 0.95, 0.99]
    confidences = [confidence for confidence, _ in outcomes(answers)]
    for row in found:
        assert row.coverage >= row.target_coverage - 1e-9
        fewer = sum(confidence > row.threshold for confidence in confidences)
        assert fewer / len(answers) < row.target_coverage
        assert row.error is not None
        assert row.error < row.upper <= 1


def test_19_of_20_images_are_a_coverage_of_095() -> None:
    confidence = [0.99 - 0.02 * row for row in range(20)]
    answers = sure(confidence, [True] * 20)
    stated = {row.target_coverage: row.n for row in risk_coverage(answers, answers).statements}
    assert stated == {0.8: 16, 0.9: 18, 0.95: 19, 0.99: 20}


@pytest.mark.parametrize(("errors", "n"), [(0, 30), (3, 30), (57, 4_000), (9, 10)])
def test_so_few_errors_have_a_chance_of_5_percent_at_the_upper_bound(errors: int, n: int) -> None:
    assert binom.cdf(errors, n, upper_bound(errors, n)) == pytest.approx(0.05)


def test_nothing_but_errors_has_no_upper_bound_below_1() -> None:
    assert upper_bound(7, 7) == 1


@pytest.mark.parametrize("max_error", [0.0, 0.05, 0.2, 0.5, 1.0])
def test_a_threshold_is_held_by_the_calibration_split(max_error: float) -> None:
    test, calibration = made_up(800, 4, 20), made_up(300, 4, 21)
    found = RiskCoverage.model_validate_json(risk_coverage(test, calibration).model_dump_json())
    held = threshold_for(found, max_error)
    if held is None:
        assert max_error <= 0.05
        return
    choice = held.choice
    assert choice in found.choices
    assert choice.calibration.upper <= held.bound
    assert held.bound <= max_error or max_error == 1
    accepted = [wrong for c, wrong in outcomes(test) if c >= choice.calibration.threshold]
    assert choice.test.threshold == choice.calibration.threshold
    assert (choice.test.n, choice.test.errors) == (len(accepted), sum(accepted))
    assert choice.test.upper == upper_bound(sum(accepted), len(accepted))


def test_no_threshold_meets_what_no_confidence_reaches() -> None:
    wrong = sure([0.9, 0.8], [False, False])
    assert threshold_for(risk_coverage(wrong, wrong), 0.4) is None


def test_a_threshold_above_all_test_images_says_that_none_is_accepted() -> None:
    calibration = sure([0.95] * 40 + [0.8] * 10, [True] * 40 + [False] * 10)
    held = threshold_for(risk_coverage(sure([0.6, 0.7], [True, True]), calibration), 0.1)
    assert held is not None
    test = held.choice.test
    assert (test.n, test.error, test.upper) == (0, None, 1)


def test_a_confidence_just_above_1_ties_with_1() -> None:
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    answers = sure([above, 1.0, 0.7], [True, False, True])
    assert [row.n for row in risk_coverage(answers, answers).curve] == [2, 3]
