"""Plain words: a winner, a tie, and the simplest of those tied."""

import numpy as np

from models.comparison import Measure, Verdict
from training.comparison.statistics import differences, results_of
from training.comparison.verdicts import verdict

NOISE = np.array([0.001, -0.002, 0.0, 0.002, -0.001])
ACCURACY = Measure(
    name="accuracy",
    title="Accuracy",
    goal="classify",
    higher_is_better=True,
    percent=True,
    description="",
)
NLL = ACCURACY.model_copy(
    update={"name": "nll", "higher_is_better": False, "percent": False, "goal": "be calibrated"}
)


def judged(measure: Measure, by_loss: dict[str, np.ndarray]) -> Verdict:
    assert measure.goal is not None
    results, tests = results_of(measure.name, by_loss), differences(measure.name, by_loss)
    return verdict(measure.goal, measure, results, tests)


def test_a_clear_winner_is_named_with_its_margins() -> None:
    found = judged(ACCURACY, {"softmax": 0.70 + NOISE, "arcface": 0.75 + NOISE[::-1]})
    assert (found.best, found.prefer, found.tie) == (("arcface",), "arcface", False)
    assert found.sentence.startswith("arcface is best: it beats softmax by 5.00 points ± 0.")


def test_a_tie_prefers_the_simplest_even_behind_the_best_mean() -> None:
    loud = np.array([0.05, -0.04, 0.03, -0.03, 0.01])
    found = judged(ACCURACY, {"softmax": 0.70 + NOISE, "center": 0.71 + loud})
    assert (found.best, found.prefer, found.tie) == (("softmax", "center"), "softmax", True)
    assert "No detectable difference between softmax and center" in found.sentence
    assert "prefer the simplest, softmax" in found.sentence
    assert "4 times in 5" in found.sentence


def test_a_tie_at_the_top_still_says_who_is_beaten() -> None:
    found = judged(
        ACCURACY,
        {"softmax": 0.70 + NOISE, "center": 0.7005 - NOISE, "triplet": 0.60 + NOISE[::-1]},
    )
    assert found.best == ("softmax", "center")
    assert "center has the best mean and beats triplet by 10.05 points" in found.sentence


def test_lower_can_be_better() -> None:
    found = judged(NLL, {"softmax": 0.90 + NOISE, "triplet": 1.20 + NOISE[::-1]})
    assert found.prefer == "softmax"
    assert "beats triplet by 0.300 ± 0.00" in found.sentence


def test_a_difference_that_cannot_exist_is_not_promised_to_be_found() -> None:
    wild = np.array([0.9, 0.1, 0.8, 0.0, 1.0])
    found = judged(ACCURACY, {"softmax": wild, "center": 1 - wild})
    assert found.tie
    assert "no difference could be found reliably" in found.sentence
    assert "points" not in found.sentence
