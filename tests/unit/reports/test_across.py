"""Several comparisons side by side: which goals they agree on, and where they contradict."""

from datetime import timedelta

import pytest

from models.comparison import ComparisonReport
from reports.across import GoalAcross, across, headline
from reports.settings import convergence, differing, setting
from tests.support.comparisons import LOSSES, comparison, swapped


def goal(name: str, *reports: ComparisonReport) -> GoalAcross:
    (group,) = across(reports)
    return next(one for one in group.goals if one.goal == name)


def renamed(name: str, **changes: object) -> ComparisonReport:
    return comparison().model_copy(update={"name": name, **changes})


def test_a_pair_that_is_distinguished_both_ways_is_a_reversal() -> None:
    found = goal("retrieve", comparison(), swapped("other", "cosface", "triplet"))
    assert found.agreement == "reversed"
    pairs = {
        (one.difference_here.first, one.difference_here.second): one for one in found.reversals
    }
    one = pairs["cosface", "triplet"]
    assert (one.here, one.there) == ("default", "other")
    assert one.difference_here.difference.value == pytest.approx(0.0389)
    assert one.difference_there.difference.value == pytest.approx(-0.0389)
    assert {answer.comparison: answer.prefer for answer in found.answers} == {
        "other": "triplet",
        "default": "cosface",
    }
    said = " ".join(found.sentences)
    assert "in other triplet beats cosface by 3.89 ± 0.41 points (p = 0.002)" in said
    assert "in default cosface beats triplet by 3.89 ± 0.41 points (p = 0.002)" in said


def test_no_answer_flips_between_equal_comparisons() -> None:
    for one in across((comparison(), renamed("other")))[0].goals:
        assert one.reversals == ()
        assert one.agreement == ("held" if one.goal == "retrieve" else "same leader")
    assert across((comparison(), renamed("other")))[0].settings == ()


def test_lower_is_better_for_some() -> None:
    found = goal("verify", comparison(), swapped("other", "cosface", "softmax"))
    assert found.agreement == "reversed"
    pair = next(
        one
        for one in found.reversals
        if {one.difference_here.first, one.difference_here.second} == {"cosface", "softmax"}
    )
    winner = pair.difference_here
    assert (winner.difference.value < 0) == (winner.first == "softmax")
    assert pair.here == "other"
    assert "in other softmax beats cosface by 6.09" in " ".join(found.sentences)


def test_leaders_that_differ_without_a_reversal_are_named_with_their_test() -> None:
    found = goal("classify", comparison(), swapped("other", "center", "cosface"))
    assert (found.agreement, found.reversals) == ("leaders differ", ())
    assert found.sentences == (
        "The best mean is cosface's in other and center's in default.",
        "In other cosface is 0.09 ± 0.41 points ahead of center, not distinguished (p = 0.854); "
        "in default center is 0.09 ± 0.41 points ahead of cosface, not distinguished (p = 0.854).",
    )


def test_what_else_differs_is_named_and_a_single_thing_as_such() -> None:
    short, long_ = comparison(), swapped("other", "cosface", "triplet")
    (group,) = across((short, long_))
    assert group.comparisons == ("other", "default")
    assert len(group.settings) == 1
    assert group.settings[0].endswith("differ in the epochs (40; 15) alone.")
    alone = renamed("longer", protocol=short.protocol.model_copy(update={"epochs": 60}))
    assert differing(short, alone).endswith("differ in the epochs (15; 60) alone.")
    both = short.protocol.model_copy(update={"epochs": 60, "backbone": "airbench"})
    words = differing(short, renamed("other", protocol=both))
    assert "epochs (15; 60)" in words and "airbench" in words and "no one of these" in words
    assert "same setting" in differing(short, renamed("again"))


def test_comparisons_of_other_losses_have_a_group_of_their_own() -> None:
    few = tuple(LOSSES[:2])
    pair = renamed("few", losses=few)
    groups = across((pair, comparison(), renamed("other")))
    assert [group.comparisons for group in groups] == [("default", "other"), ("few",)]
    assert {one.agreement for one in groups[1].goals} == {None}
    assert not any(one.sentences for one in groups[1].goals)


def test_another_measure_of_a_goal_is_not_compared() -> None:
    verdicts = tuple(
        one.model_copy(update={"measure": "nll"}) if one.goal == "be calibrated" else one
        for one in comparison().verdicts
    )
    found = goal("be calibrated", comparison(), renamed("other", verdicts=verdicts))
    assert [one.comparison for one in found.answers] == ["default"]
    assert found.agreement is None


def test_the_headline_is_converged_where_one_is() -> None:
    first, long_ = comparison(), swapped("long", "cosface", "triplet")
    later = long_.model_copy(
        update={"name": "later", "evaluated": long_.evaluated + timedelta(days=1)}
    )
    assert headline(()) is None
    assert headline((first, renamed("other"))) == first
    assert headline((first, long_, later)) == later


def test_a_setting_in_words() -> None:
    report = comparison()
    assert setting(report) == f"{report.dataset.name}, compact, 15 epochs, 5 seeds"
    assert convergence(report) == "0 of 50 runs had converged"
    assert convergence(report.model_copy(update={"convergence": ()})).endswith("not recorded")
    assert convergence(swapped("long", "center", "triplet")) == "all 50 runs had converged"
    wide = report.protocol.model_copy(
        update={"backbone": "airbench", "recipe": {"widths": [24, 96, 96]}}
    )
    assert "airbench 24-96-96" in setting(renamed("wide", protocol=wide))
