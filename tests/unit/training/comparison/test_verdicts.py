"""Plain words: a best loss, or that it is undecided; never advice for want of evidence."""

import numpy as np

from models.comparison import Convergence, Verdict
from models.comparison_protocol import Measure
from models.evidence.estimate import Estimate
from training.comparison.convergence import UNRECORDED, MeasuredLength
from training.comparison.power import seeds_needed
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
    image_variance="paired resamples",
)
NLL = ACCURACY.model_copy(
    update={
        "name": "nll", "title": "NLL", "higher_is_better": False, "percent": False,
        "goal": None, "secondary_to": "classify",
    }
)  # fmt: skip


def evidence(
    measure: Measure, by_loss: dict[str, np.ndarray], training: MeasuredLength = UNRECORDED
) -> Evidence:
    name = measure.name
    return Evidence(measure, results_of(name, by_loss), differences(name, by_loss), training)


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
        "if means and spreads are as seen)."
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


def test_a_loss_that_the_best_was_not_distinguished_from_is_not_said_to_be_beaten_by_it() -> None:
    """Softmax beats center, center beats triplet, and the first and the last vary too much."""
    loud = np.array([0.02, -0.03, 0.01, 0.03, -0.03])
    by_loss = {
        "softmax": 0.75 + NOISE - loud,
        "center": 0.74 + loud + np.roll(NOISE, 2),
        "triplet": 0.70 + loud,
    }
    one = evidence(ACCURACY, by_loss)
    tests = [
        test.model_copy(update={"p_value": p, "p_adjusted": p})
        for test, p in zip(one.tests, (0.01, 0.3, 0.01), strict=True)
    ]
    found = verdict("classify", Evidence(one.measure, one.results, tests))
    assert found.best == ("softmax",)
    assert ("softmax", "triplet") in found.tied
    assert "beats center by" in found.sentence
    assert "beats triplet" not in found.sentence
    assert found.sentence.endswith("triplet is worse than center.")


def test_runs_without_any_spread_are_not_said_to_need_a_few_more() -> None:
    by_loss = {"softmax": np.array([0.5, 0.5]), "center": np.array([0.75, 0.75])}
    needed = seeds_needed(ACCURACY, by_loss)
    assert needed is None
    found = judged(by_loss, needed)
    assert found.tie
    assert found.sentence == (
        "Undecided between softmax and center (best mean: center; the runs show no spread to test "
        "by)."
    )


def test_a_finding_on_these_images_alone_says_so() -> None:
    alone = ACCURACY.model_copy(update={"image_variance": "not included"})
    one = evidence(alone, {"softmax": 0.70 + NOISE, "arcface": 0.75 + NOISE[::-1]})
    found = verdict("classify", one, None, [one])
    assert found.sentence.startswith("arcface is best on these test images: it beats")
    assert found.opinions[0].sentence == "By Accuracy, arcface is best on these test images."


CLEAR = {"softmax": 0.70 + NOISE, "center": 0.72 + np.roll(NOISE, 1), "arcface": 0.75 - NOISE}
OPEN = {**CLEAR, "center": 0.7501 + np.roll(NOISE, 1)}


def trained(**converged: bool) -> MeasuredLength:
    gain = Estimate(value=0.01, low=0.005, high=0.015)
    rows = [
        Convergence(loss=loss, epochs=1, gain=gain, converged=done)
        for loss, done in converged.items()
    ]
    return MeasuredLength(6, tuple(rows))


def said(by_loss: dict[str, np.ndarray], training: MeasuredLength) -> Verdict:
    return verdict("classify", evidence(ACCURACY, by_loss, training))


def test_a_verdict_names_the_losses_that_had_not_converged() -> None:
    some = trained(softmax=True, center=False, arcface=False)
    found = said(CLEAR, some)
    assert (found.epochs, found.unconverged) == (6, ("center", "arcface"))
    assert found.sentence.startswith(
        "arcface is best after 6 epochs, before center and arcface had converged: it beats softmax"
    )
    assert said(OPEN, some).sentence.startswith(
        "Undecided after 6 epochs, before center and arcface had converged, between center and "
        "arcface (best mean: center;"
    )
    none = said(CLEAR, trained(softmax=False, center=False, arcface=False))
    assert none.sentence.startswith("arcface is best after 6 epochs, before any loss had converged")


def test_a_verdict_of_converged_runs_needs_no_mark() -> None:
    found = said(CLEAR, trained(softmax=True, center=True, arcface=True))
    assert (found.epochs, found.unconverged) == (6, ())
    assert found.sentence.startswith("arcface is best: it beats softmax")


def test_a_verdict_says_where_convergence_was_not_recorded() -> None:
    mark = "after 6 epochs (whether that is convergence was not recorded)"
    for training in (MeasuredLength(6), trained(softmax=True, center=True)):
        found = said(CLEAR, training)
        assert (found.epochs, found.unconverged) == (6, None)
        assert found.sentence.startswith(f"arcface is best {mark}: it beats softmax")
    partly = said(CLEAR, trained(softmax=False))
    assert partly.unconverged == ("softmax",)
    assert said(OPEN, MeasuredLength(6)).sentence.startswith(f"Undecided {mark} between center")


def test_a_secondary_measure_that_disagrees_says_so() -> None:
    primary = evidence(ACCURACY, {"softmax": 0.70 + NOISE, "triplet": 0.75 + NOISE[::-1]})
    against = evidence(NLL, {"softmax": 0.5 + NOISE, "triplet": 0.9 + NOISE[::-1]})
    with_it = evidence(NLL, {"softmax": 0.9 + NOISE, "triplet": 0.5 + NOISE[::-1]})
    one, other = verdict("classify", primary, None, [against, with_it]).opinions
    assert (one.agrees, one.leader, one.best) == (False, "softmax", ("softmax",))
    assert one.sentence.startswith("By NLL, softmax is best; softmax beats triplet by 0.400 ± ")
    assert (other.agrees, other.sentence) == (True, "By NLL, triplet is best.")
