"""Plain words for each goal; a tie is an answer."""

from collections.abc import Sequence

from models.comparison import Difference, Goal, Measure, Result, Verdict


def verdict(
    goal: Goal, measure: Measure, results: Sequence[Result], tests: Sequence[Difference]
) -> Verdict:
    """Which loss to prefer for the goal, by this measure.

    `results` come from the simplest loss to the least simple, one each; `tests` hold every pair.
    The best loss is the one with the best mean; those that no test tells from it are tied with
    it, and of these the simplest is preferred.
    """
    sign = 1 if measure.higher_is_better else -1
    leader = max(results, key=lambda row: sign * row.mean.value).loss
    best = tuple(
        row.loss
        for row in results
        if row.loss == leader or not _between(leader, row.loss, tests).significant
    )
    beaten = [row.loss for row in results if row.loss not in best]
    margins = [_beats(leader, other, measure, tests) for other in beaten]
    prefer = best[0]
    if len(best) == 1:
        sentence = f"{leader} is best: it {_list(margins)}."
    else:
        sentence = (
            f"No detectable difference between {_list(best)}: prefer the simplest, {prefer}."
            f"{_unseen(leader, best, measure, tests)}"
        )
        if beaten:
            sentence += f" Of these, {leader} has the best mean and {_list(margins)}."
    return Verdict(
        goal=goal,
        measure=measure.name,
        best=best,
        prefer=prefer,
        tie=len(best) > 1,
        sentence=sentence,
    )


def _between(first: str, second: str, tests: Sequence[Difference]) -> Difference:
    return next(test for test in tests if {test.first, test.second} == {first, second})


def _beats(winner: str, loser: str, measure: Measure, tests: Sequence[Difference]) -> str:
    test = _between(winner, loser, tests)
    reach = (test.difference.high - test.difference.low) / 2
    gap = amount(abs(test.difference.value), measure)
    return f"beats {loser} by {gap} ± {amount(reach, measure)}"


def _unseen(leader: str, best: Sequence[str], measure: Measure, tests: Sequence[Difference]) -> str:
    largest = max(_between(leader, other, tests).detectable for other in best if other != leader)
    if measure.percent and largest > 1:
        return " With so few seeds no difference could be found reliably."
    return f" A true difference of {amount(largest, measure)} would be found 4 times in 5."


def amount(value: float, measure: Measure) -> str:
    """A size of difference in the measure's unit."""
    return f"{100 * value:.2f} points" if measure.percent else f"{value:.3f}"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
