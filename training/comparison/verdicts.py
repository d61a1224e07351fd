"""Plain words for each goal; "undecided" is an answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.comparison import Difference, MeasureOpinion, Result, Verdict
from models.comparison_protocol import Goal, Measure
from models.tied import tied_sets, unbeaten
from training.comparison.convergence import UNRECORDED, MeasuredLength
from training.comparison.power import MOST_SEEDS


@dataclass(frozen=True)
class Evidence:
    """One measure of every loss: results from the simplest loss on, and a test of every pair.

    `training` is how long its runs were trained.
    """

    measure: Measure
    results: Sequence[Result]
    tests: Sequence[Difference]
    training: MeasuredLength = UNRECORDED

    @property
    def losses(self) -> tuple[str, ...]:
        """Their names, the simplest first."""
        return tuple(row.loss for row in self.results)

    @property
    def leader(self) -> str:
        """The loss with the best mean; of equals the simplest."""
        sign = 1 if self.measure.higher_is_better else -1
        return max(self.results, key=lambda row: sign * row.mean.value).loss

    @property
    def best(self) -> tuple[str, ...]:
        """The losses that none is better than, as far as the tests can tell."""
        return unbeaten(self.losses, self.tests, self.measure)

    @property
    def seeds(self) -> int:
        """Final runs of each loss."""
        return len(self.results[0].by_seed)


def verdict(
    goal: Goal,
    evidence: Evidence,
    seeds_needed: int | None = None,
    secondary: Sequence[Evidence] = (),
) -> Verdict:
    """Name the loss that is best for the goal by this measure, or call it undecided.

    `seeds_needed` would decide it, as `power.seeds_needed` finds. No loss is advised for want of
    evidence against it: where several could be the best, the one with the best mean is named as
    that and no more.
    """
    leader, best = evidence.leader, evidence.best
    decided = len(best) == 1
    return Verdict(
        goal=goal,
        measure=evidence.measure.name,
        best=best,
        prefer=leader,
        tie=not decided,
        tied=tied_sets(evidence.losses, evidence.tests),
        seeds_needed=None if decided else seeds_needed,
        opinions=tuple(_opinion(one, evidence) for one in secondary),
        epochs=evidence.training.epochs,
        unconverged=evidence.training.unconverged(evidence.losses),
        sentence=_decided(evidence) if decided else _undecided(evidence, seeds_needed),
    )


def _decided(evidence: Evidence) -> str:
    """A loss that the best one is not distinguished from was beaten by another one."""
    leader = evidence.leader
    others = [loss for loss in evidence.losses if loss != leader]
    beaten = [loss for loss in others if _is_better(leader, loss, evidence)]
    words = (
        f"{leader} is best{_where(evidence)}{_when(evidence)}: "
        f"it {_list([_beats(leader, one, evidence) for one in beaten])}."
    )
    return words + _worse([loss for loss in others if loss not in beaten], evidence)


def _where(evidence: Evidence) -> str:
    """A limit of what the tests found: others than these images may say otherwise."""
    alone = evidence.measure.image_variance == "not included"
    return " on these test images" if alone else ""


def _when(evidence: Evidence) -> str:
    """Describe the length of the runs, where they had not converged or it is not known."""
    epochs, short = evidence.training.epochs, evidence.training.unconverged(evidence.losses)
    if epochs is None or short == ():
        return ""
    after = f" after {epochs} epoch{'' if epochs == 1 else 's'}"
    if short is None:
        return f"{after} (whether that is convergence was not recorded)"
    every = len(short) == len(evidence.losses) > 2
    return f"{after}, before {'any loss' if every else _list(short)} had converged"


def _undecided(evidence: Evidence, seeds_needed: int | None) -> str:
    leader, best = evidence.leader, evidence.best
    when = _when(evidence)
    words = (
        f"Undecided{when}{',' if 'before' in when else ''} between {_list(best)} "
        f"(best mean: {leader}; {_more(evidence, seeds_needed)})."
    )
    return words + _worse([loss for loss in evidence.losses if loss not in best], evidence)


def _worse(losses: Sequence[str], evidence: Evidence) -> str:
    """A sentence for each loss: what beats it, of those that could be best if one of them does."""
    words = ""
    for loss in losses:
        every = [one for one in evidence.losses if _is_better(one, loss, evidence)]
        by = [one for one in every if one in evidence.best] or every
        words += f" {loss} is worse than {_list(by)}."
    return words


def _more(evidence: Evidence, seeds_needed: int | None) -> str:
    between = [test for test in evidence.tests if {test.first, test.second} <= set(evidence.best)]
    if all(test.detectable is None for test in between):
        return "the runs show no spread to test by"
    if seeds_needed is not None and seeds_needed > evidence.seeds:
        return f"more seeds needed: about {seeds_needed}, if means and spreads are as seen"
    if seeds_needed is not None:
        return "as many seeds again would probably decide, if means and spreads are as seen"
    if evidence.measure.image_variance == "bound":
        return (
            f"not even {MOST_SEEDS} seeds would decide: the images' outcomes were not kept, and "
            "the bound in their place is wide"
        )
    if evidence.measure.image_variance == "not included":
        return f"more seeds needed: over {MOST_SEEDS}, if means and spreads are as seen"
    return f"not even {MOST_SEEDS} seeds would decide on these test images"


def _opinion(evidence: Evidence, primary: Evidence) -> MeasureOpinion:
    leader, best = evidence.leader, evidence.best
    agrees = primary.leader in best and leader in primary.best
    title = evidence.measure.title
    if len(best) == 1:
        words = f"By {title}, {leader} is best{_where(evidence)}"
    else:
        words = f"By {title}, undecided between {_list(best)} (best mean: {leader})"
    if primary.leader not in best:
        by = [one for one in evidence.losses if _is_better(one, primary.leader, evidence)]
        words += f"; {_list([_beats(one, primary.leader, evidence) for one in by], by)}"
    elif leader != primary.leader:
        words += f"; {_ahead(leader, primary.leader, evidence)}"
    return MeasureOpinion(
        measure=evidence.measure.name,
        leader=leader,
        best=best,
        agrees=agrees,
        sentence=f"{words}.",
    )


def _between(first: str, second: str, tests: Sequence[Difference]) -> Difference:
    return next(test for test in tests if {test.first, test.second} == {first, second})


def _is_better(one: str, other: str, evidence: Evidence) -> bool:
    if one == other:
        return False
    test = _between(one, other, evidence.tests)
    ahead = (test.difference.value > 0) == evidence.measure.higher_is_better
    return test.significant and ahead == (test.first == one)


def _beats(winner: str, loser: str, evidence: Evidence) -> str:
    test = _between(winner, loser, evidence.tests)
    reach = (test.difference.high - test.difference.low) / 2
    gap = amount(abs(test.difference.value), evidence.measure)
    return f"beats {loser} by {gap} ± {amount(reach, evidence.measure)}"


def _ahead(leader: str, other: str, evidence: Evidence) -> str:
    gap = abs(_between(leader, other, evidence.tests).difference.value)
    return f"{leader} is {amount(gap, evidence.measure)} ahead of {other}, not distinguished"


def amount(value: float, measure: Measure) -> str:
    """A size of difference in the measure's unit."""
    return f"{100 * value:.2f} points" if measure.percent else f"{value:.3f}"


def _list(words: Sequence[str], before: Sequence[str] = ()) -> str:
    said = [f"{one} {word}" for one, word in zip(before, words, strict=True)] if before else words
    return said[0] if len(said) == 1 else ", ".join(said[:-1]) + f" and {said[-1]}"
