"""Plain words: a best loss, or that it is undecided; never advice for want of evidence."""

import numpy as np

from models.comparison import Measure, Verdict
from training.comparison.statistics import differences, results_of
from training.comparison.verdicts import Evidence, verdict

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
    update={
        "name": "nll", "title": "NLL", "higher_is_better": False, "percent": False,
        "goal": None, "secondary_to": "classify",
    }
)  # fmt: skip


def evidence(measure: Measure, by_loss: dict[str, np.ndarray]) -> Evidence:
    name = measure.name
    return Evidence(measure, results_of(name, by_loss), differences(name, by_loss))


def judged(by_loss: dict[str, np.ndarray], seeds_needed: int | None = None) -> Verdict:
    return verdict("classify", evidence(ACCURACY, by_loss), seeds_needed)


def test_a_clear_winner_is_named_with_its_margins() -> None:
    found = judged({"softmax": 0.70 + NOISE, "arcface": 0.75 + NOISE[::-1]})
    assert (found.best, found.prefer, found.tie) == (("arcface",), "arcface", False)
    assert found.seeds_needed is None
    assert found.tied == ()
    assert found.sentence.startswith("arcface is best: it beats softmax by 5.00 points ± ")


def test_a_want_of_power_is_no_advice() -> None:
    """As found in an audit: a loss 6.6 points worse in both seeds was advised as the simplest."""
    by_loss = {"softmax": np.array([0.70, 0.72]), "arcface": np.array([0.760, 0.792])}
    found = judged(by_loss, seeds_needed=4)
    assert (found.best, found.prefer, found.tie) == (("softmax", "arcface"), "arcface", True)
    assert found.tied == (("softmax", "arcface"),)
    assert found.seeds_needed == 4
    assert found.sentence == (
        "Undecided between softmax and arcface (best mean: arcface; more seeds needed: about 4, "
        "if the means are as seen)."
    )


def test_what_is_worse_is_named_with_what_is_better() -> None:
    by_loss = {
        "softmax": 0.70 + NOISE,
        "center": 0.7001 + NOISE[::-1],
        "triplet": 0.60 + np.roll(NOISE, 1),
    }
    found = judged(by_loss)
    assert found.best == ("softmax", "center")
    assert "triplet is worse than softmax and center." in found.sentence
    assert "0.00 points" not in found.sentence


def test_two_seeds_with_equal_gaps_decide_nothing() -> None:
    by_loss = {"softmax": np.array([0.5, 0.6]), "center": np.array([0.7, 0.8])}
    found = judged(by_loss)
    assert found.tie
    assert found.best == ("softmax", "center")


def test_a_secondary_measure_that_disagrees_says_so() -> None:
    primary = evidence(ACCURACY, {"softmax": 0.70 + NOISE, "triplet": 0.75 + NOISE[::-1]})
    against = evidence(NLL, {"softmax": 0.5 + NOISE, "triplet": 0.9 + NOISE[::-1]})
    with_it = evidence(NLL, {"softmax": 0.9 + NOISE, "triplet": 0.5 + NOISE[::-1]})
    one, other = verdict("classify", primary, None, [against, with_it]).opinions
    assert (one.agrees, one.leader, one.best) == (False, "softmax", ("softmax",))
    assert one.sentence.startswith("By NLL, softmax is best; softmax beats triplet by 0.400 ± ")
    assert (other.agrees, other.sentence) == (True, "By NLL, triplet is best.")
