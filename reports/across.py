"""Several comparisons side by side: what each says of a goal, and where they disagree."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

from pydantic import Field

from models.comparison import DEFAULT, ComparisonReport, Difference, Verdict
from models.comparison_protocol import Goal, Measure
from models.manifest import Frozen, Name
from reports.settings import differing
from reports.words import and_, capitalized, difference_of, interval, measure_of, p_value, turned

Agreement = Literal["held", "same leader", "leaders differ", "reversed"]
_MOST_SENTENCES = 3  # about reversed pairs of one goal; the others are counted


class GoalAnswer(Frozen):
    """The verdict of one comparison on a goal, without its words."""

    comparison: Name
    prefer: str = Field(description="the loss with the best mean")
    best: tuple[str, ...] = Field(description="the losses that could be the best, simplest first")
    decided: bool = Field(description="whether `prefer` is alone in `best`")
    converged: bool | None = Field(
        description="whether every loss's runs had converged; null where that was not recorded"
    )


class Reversal(Frozen):
    """Two losses that one comparison ranks one way, and another one the other way.

    Both differences are distinguished from 0 (Holm, 5 %).
    """

    here: Name = Field(description="the comparison in which `difference_here.first` is better")
    there: Name = Field(description="the comparison in which the other loss is")
    difference_here: Difference
    difference_there: Difference = Field(description="of the same two losses, in the same order")


class GoalAcross(Frozen):
    """One goal over comparisons that decide it by one measure."""

    goal: Goal
    measure: str
    answers: tuple[GoalAnswer, ...] = Field(description="of each comparison that has the measure")
    agreement: Agreement | None = Field(
        description="reversed: some pair of losses is distinguished one way in one comparison and "
        "the other way in another; leaders differ: the best means are of different losses; same "
        "leader: of one, not decided everywhere; held: decided for one loss everywhere; null with "
        "a single answer"
    )
    reversals: tuple[Reversal, ...]
    sentences: tuple[str, ...] = Field(description="the same in words; empty with a single answer")


class Across(Frozen):
    """All comparisons of the same losses."""

    losses: tuple[str, ...]
    comparisons: tuple[Name, ...] = Field(description="converged ones first, then by date")
    goals: tuple[GoalAcross, ...]
    settings: tuple[str, ...] = Field(
        description="of each two comparisons with different answers, what else differs"
    )


def headline(reports: Sequence[ComparisonReport]) -> ComparisonReport | None:
    """Pick the comparison to begin with; None where there is none.

    A converged one where there is one; of these the default one, else the latest.
    """
    return max(
        reports,
        key=lambda one: (one.has_converged, one.name == DEFAULT, one.evaluated),
        default=None,
    )


def across(reports: Sequence[ComparisonReport]) -> tuple[Across, ...]:
    """Group comparisons by their losses; the group with most comparisons first."""
    groups: dict[frozenset[str], list[ComparisonReport]] = {}
    for one in sorted(reports, key=lambda one: (not one.has_converged, one.evaluated)):
        groups.setdefault(frozenset(one.losses), []).append(one)
    ordered = sorted(groups.values(), key=lambda group: -len(group))
    return tuple(_across(group) for group in ordered)


def _across(group: Sequence[ComparisonReport]) -> Across:
    goals = list(dict.fromkeys(one.goal for report in group for one in report.verdicts))
    found = [_goal(goal, group) for goal in goals]
    return Across(
        losses=group[0].losses,
        comparisons=tuple(one.name for one in group),
        goals=tuple(found),
        settings=tuple(_settings(found, group)),
    )


def _goal(goal: Goal, group: Sequence[ComparisonReport]) -> GoalAcross:
    every = [(one, verdict) for one in group for verdict in one.verdicts if verdict.goal == goal]
    measure = measure_of(every[0][0], every[0][1].measure)
    judged = [(one, verdict) for one, verdict in every if verdict.measure == measure.name]
    reversals = tuple(_reversals([one for one, _ in judged], measure))
    agreement = _agreement([verdict for _, verdict in judged], reversals)
    return GoalAcross(
        goal=goal,
        measure=measure.name,
        answers=tuple(_answer(*one) for one in judged),
        agreement=agreement,
        reversals=reversals,
        sentences=() if agreement is None else tuple(_sentences(judged, measure, reversals)),
    )


def _answer(report: ComparisonReport, verdict: Verdict) -> GoalAnswer:
    return GoalAnswer(
        comparison=report.name,
        prefer=verdict.prefer,
        best=verdict.best,
        decided=not verdict.tie,
        converged=None if verdict.unconverged is None else not verdict.unconverged,
    )


def _agreement(verdicts: Sequence[Verdict], reversals: Sequence[Reversal]) -> Agreement | None:
    if len(verdicts) < 2:
        return None
    if reversals:
        return "reversed"
    if len({one.prefer for one in verdicts}) > 1:
        return "leaders differ"
    return "same leader" if any(one.tie for one in verdicts) else "held"


def _reversals(group: Sequence[ComparisonReport], measure: Measure) -> list[Reversal]:
    """Each pair of losses once, in the first two comparisons that contradict each other."""
    found = []
    for first, second in combinations(group[0].losses, 2):
        tests = {one.name: difference_of(one, measure.name, first, second) for one in group}
        ahead = [name for name, test in tests.items() if _wins(test, measure)]
        behind = [name for name, test in tests.items() if test.significant and name not in ahead]
        if ahead and behind:
            pair = Reversal(
                here=ahead[0],
                there=behind[0],
                difference_here=tests[ahead[0]],
                difference_there=tests[behind[0]],
            )
            found.append(pair)
    return found


def _wins(test: Difference, measure: Measure) -> bool:
    return test.significant and (test.difference.value > 0) == measure.higher_is_better


def _sentences(
    judged: Sequence[tuple[ComparisonReport, Verdict]],
    measure: Measure,
    reversals: Sequence[Reversal],
) -> list[str]:
    leaders = list(dict.fromkeys(verdict.prefer for _, verdict in judged))
    said = [_led(judged, leaders)]
    for first, second in combinations(leaders, 2):
        pair = {first, second}
        if pair not in [_pair(one) for one in reversals]:
            said.append(_of_leaders(judged, measure, first, second))
    ranked = sorted(reversals, key=lambda one: -_leading(one, leaders))
    said += [_reversed(one, measure) for one in ranked[:_MOST_SENTENCES]]
    if (more := len(reversals) - _MOST_SENTENCES) > 0:
        said.append(f"{more} more pair{'s' if more > 1 else ''} of losses change places likewise.")
    return said


def _led(judged: Sequence[tuple[ComparisonReport, Verdict]], leaders: Sequence[str]) -> str:
    if len(leaders) == 1:
        decided = [one.name for one, verdict in judged if not verdict.tie]
        everywhere = "both" if len(judged) == 2 else f"all {len(judged)}"
        words = f"{leaders[0]} has the best mean in {everywhere}"
        if len(decided) == len(judged):
            return f"{words}, and is distinguished as the best in each."
        return f"{words}; it is distinguished as the best in {and_(decided) or 'none'}."
    places = [
        f"{leader}'s in {and_([one.name for one, verdict in judged if verdict.prefer == leader])}"
        for leader in leaders
    ]
    return f"The best mean is {and_(places)}."


def _of_leaders(
    judged: Sequence[tuple[ComparisonReport, Verdict]], measure: Measure, first: str, second: str
) -> str:
    """The two in the first comparison that each leads."""
    here, there = (
        next(one for one, verdict in judged if verdict.prefer == loss) for loss in (first, second)
    )
    words = f"{_gap(here, measure, first, second)}; {_gap(there, measure, second, first)}."
    return capitalized(words)


def _gap(report: ComparisonReport, measure: Measure, ahead: str, behind: str) -> str:
    return _in_words(report.name, difference_of(report, measure.name, ahead, behind), measure)


def _in_words(comparison: str, test: Difference, measure: Measure) -> str:
    """`test.first` is ahead; the amount is without its sign, which follows the measure."""
    amount, p = interval(test.difference, measure, sign=True)[1:], p_value(test.p_adjusted)
    words = f"in {comparison} {test.first}"
    if test.significant:
        return f"{words} beats {test.second} by {amount} ({p})"
    return f"{words} is {amount} ahead of {test.second}, not distinguished ({p})"


def _pair(reversal: Reversal) -> set[str]:
    return {reversal.difference_here.first, reversal.difference_here.second}


def _leading(reversal: Reversal, leaders: Sequence[str]) -> int:
    return len(_pair(reversal) & set(leaders))


def _reversed(reversal: Reversal, measure: Measure) -> str:
    here = _in_words(reversal.here, reversal.difference_here, measure)
    there = _in_words(reversal.there, turned(reversal.difference_there), measure)
    return f"Reversed: {here}; {there}."


def _settings(goals: Sequence[GoalAcross], group: Sequence[ComparisonReport]) -> list[str]:
    by_name = {one.name: one for one in group}
    said = []
    for first, second in combinations(by_name, 2):
        if any(_differ(one, first, second) for one in goals):
            said.append(differing(by_name[first], by_name[second]))
    return said


def _differ(goal: GoalAcross, first: str, second: str) -> bool:
    if any({one.here, one.there} == {first, second} for one in goal.reversals):
        return True
    led = {one.comparison: one.prefer for one in goal.answers}
    return first in led and second in led and led[first] != led[second]
