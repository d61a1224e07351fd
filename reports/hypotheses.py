"""The outcome of each hypothesis of docs/protocol.md, worked out from the published comparisons.

Each rule is the protocol's own: what it says would refute a hypothesis refutes it here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from models.comparison import LEVEL, ComparisonReport, Verdict
from reports.published import FURTHER, PLANNED
from reports.words import and_, difference_of, interval, measure_of, p_value

MARGIN = ("cosface", "arcface")
_PULLED = (*MARGIN, "triplet")
_BASELINE = "softmax"
_SHORT_EPOCHS = 6
_HALF_A_POINT = 0.005

State = Literal["holds", "refuted", "not shown", "open"]
Reports = Mapping[str, ComparisonReport]


@dataclass(frozen=True)
class Outcome:
    """The result for a hypothesis, and the numbers behind it."""

    state: State
    facts: Sequence[str]
    rests_on: Sequence[ComparisonReport] = ()


def outcomes(reports: Sequence[ComparisonReport]) -> str:
    """Markdown: a paragraph for each hypothesis, in the protocol's order."""
    by_name = {one.name: one for one in reports}
    said = []
    for place, (title, judge) in enumerate(_HYPOTHESES, start=1):
        found = judge(by_name)
        words = " ".join([*found.facts, *_unconverged(found.rests_on)])
        said.append(f"{place}. **{title}: {found.state}.** {words}")
    return "\n".join(said)


def ten_classes_flatter_softmax(reports: Reports) -> Outcome:
    """Judge hypothesis 1: no loss is more accurate than softmax, on CIFAR-10."""
    asked = ("cifar10-compact", "cifar10-small")
    found, facts = _of(reports, asked), []
    if not found:
        return _lacking(*asked)
    refuted = False
    for one in found:
        tests = [_against(one, "accuracy", loss) for loss in one.losses if loss != _BASELINE]
        better = [words for gain, sure, words in tests if sure and gain > 0]
        refuted = refuted or bool(better)
        facts.append(f"{one.name}: more accurate than softmax: {and_(better) or 'none'}.")
    state = _state(refuted, whole=len(found) == len(asked))
    return Outcome(state, [*facts, *_waits(found, asked)], found)


def short_verdicts_change(reports: Reports) -> Outcome:
    """Judge hypothesis 2: a verdict of 6 epochs changes where runs have converged."""
    earlier = next((one for one in reports.values() if _is_short(one)), None)
    later = reports.get("cifar10-compact")
    if earlier is None or later is None:
        missing = [] if earlier else ["the comparison of 6 epochs"]
        return _lacking(*missing, *([] if later else ["cifar10-compact"]))
    before = {one.goal: one for one in earlier.verdicts}
    after = {one.goal: one for one in later.verdicts}
    changed = [
        f"To {goal}: {_said(before[goal])} after {_SHORT_EPOCHS} epochs, {_said(after[goal])} "
        f"after {later.protocol.epochs}."
        for goal in before
        if goal in after and _change(before[goal], after[goal])
    ]
    if changed:
        return Outcome("holds", changed, [earlier, later])
    return Outcome("refuted", [f"All {len(before)} verdicts stay."], [earlier, later])


def margins_give_better_neighbors(reports: Reports) -> Outcome:
    """Judge hypothesis 3: MAP@R of cosface, arcface and triplet above softmax's, everywhere."""
    found, facts = _of(reports, PLANNED), []
    if not found:
        return _lacking(*PLANNED)
    shown, against = 0, 0
    for one in found:
        tests = [_against(one, "map_at_r", loss) for loss in _PULLED]
        shown += sum(sure and gain > 0 for gain, sure, _ in tests)
        against += sum(sure and gain < 0 for gain, sure, _ in tests)
        facts.append(f"{one.name}: {'; '.join(words for _, _, words in tests)}.")
    whole = len(found) == len(PLANNED)
    if against:
        return Outcome("refuted", facts, found)
    state: State = "open" if not whole else "holds" if shown == 3 * len(found) else "not shown"
    return Outcome(state, [*facts, *_waits(found, PLANNED)], found)


def the_advantage_shrinks(reports: Reports) -> Outcome:
    """Judge hypothesis 4: the margin losses' advantage is smaller among classes never trained."""
    named = _of(reports, PLANNED)
    found = [one for one in named if _has(one, "map_at_r", "unseen_map_at_r")]
    if not found:
        return _lacking(*PLANNED)
    facts, shown, against = [], 0, 0
    for one in found:
        trained, unseen = _advantage(one, "map_at_r"), _advantage(one, "unseen_map_at_r")
        seeds = min(len(trained), len(unseen))
        shrinks = trained[:seeds] - unseen[:seeds]
        p = _differs_from_zero(shrinks)
        shown += p < LEVEL and shrinks.mean() > 0
        against += p < LEVEL and shrinks.mean() < 0
        facts.append(
            f"{one.name}: {_points(trained.mean())} among trained classes, "
            f"{_points(unseen.mean())} among left-out ones ({p_value(p)}, {seeds} seeds)."
        )
    if against:
        return Outcome("refuted", facts, found)
    whole = len(found) == len(PLANNED)
    state: State = "open" if not whole else "holds" if shown == len(found) else "not shown"
    return Outcome(state, [*facts, *_waits(found, PLANNED)], found)


def many_classes_favor_margins(reports: Reports) -> Outcome:
    """Judge hypothesis 5: the margin losses' advantage in accuracy is larger with many classes."""
    asked = ("glyphs-compact", "cifar10-compact")
    found = _of(reports, asked)
    if len(found) < 2:
        return _lacking(*(name for name in asked if name not in reports))
    many, few = (_advantage(one, "accuracy") for one in found)
    larger, smaller = _is_greater(many, few), _is_greater(few, many)
    facts = [
        f"The margin losses' mean advantage is {_points(many.mean())} in {asked[0]} and "
        f"{_points(few.mean())} in {asked[1]} (Welch, one-sided: {p_value(larger)})."
    ]
    state: State = "holds" if larger < LEVEL else "refuted" if smaller < LEVEL else "not shown"
    return Outcome(state, facts, found)


def no_loss_rejects_best_everywhere(reports: Reports) -> Outcome:
    """Judge hypothesis 6: no loss is among the best for near unknowns in all four."""
    named = _of(reports, PLANNED)
    found = [one for one in named if _has(one, "unknown_auroc")]
    if not found:
        return _lacking(*PLANNED)
    best = {one.name: _best(one, "unknown_auroc") for one in found}
    everywhere = [loss for loss in found[0].losses if all(loss in each for each in best.values())]
    facts = [f"{name}: {and_(losses)}." for name, losses in best.items()]
    facts.append(f"Among the best in all of these: {and_(everywhere) or 'none'}.")
    if not everywhere:
        return Outcome("holds", facts, found)
    whole = len(found) == len(PLANNED)
    return Outcome("refuted" if whole else "open", [*facts, *_waits(found, PLANNED)], found)


def nll_follows_accuracy(reports: Reports) -> Outcome:
    """Judge hypothesis 7: the most accurate loss is among those with the best NLL."""
    found, facts = _of(reports, PLANNED), []
    if not found:
        return _lacking(*PLANNED)
    refuted = False
    for one in found:
        leader = _leader(one, "accuracy")
        better = [
            loss for loss in one.losses if loss != leader and _beats(one, "nll", loss, leader)
        ]
        refuted = refuted or bool(better)
        words = f"beaten in NLL by {and_(better)}" if better else "beaten in NLL by none"
        facts.append(f"{one.name}: the most accurate, {leader}, is {words}.")
    state = _state(refuted, whole=len(found) == len(PLANNED))
    return Outcome(state, [*facts, *_waits(found, PLANNED)], found)


def normalization_explains_part(reports: Reports) -> Outcome:
    """Judge hypothesis 8: normalized softmax moves MAP@R as cosface does."""
    one = reports.get(FURTHER)
    if one is None:
        return _lacking(FURTHER)
    (own, sure, words), (margin, _, theirs) = (
        _against(one, "map_at_r", loss) for loss in ("normalized-softmax", "cosface")
    )
    facts = [f"{words}; {theirs}."]
    if own * margin < 0 or abs(own) < _HALF_A_POINT:
        return Outcome("refuted", facts, [one])
    return Outcome("holds" if sure else "not shown", facts, [one])


_HYPOTHESES: tuple[tuple[str, Callable[[Reports], Outcome]], ...] = (
    ("At convergence ten classes flatter softmax", ten_classes_flatter_softmax),
    ("Verdicts at 6 epochs do not hold at convergence", short_verdicts_change),
    (
        "Losses with a margin give better neighbors of trained classes",
        margins_give_better_neighbors,
    ),
    ("On classes never trained, that advantage shrinks", the_advantage_shrinks),
    ("Many classes with few images favor margins", many_classes_favor_margins),
    ("No loss is best at rejecting unknowns everywhere", no_loss_rejects_best_everywhere),
    ("Calibrated NLL follows accuracy", nll_follows_accuracy),
    ("Normalization explains part of what is called margin", normalization_explains_part),
)


def _of(reports: Reports, names: Sequence[str]) -> list[ComparisonReport]:
    return [reports[name] for name in names if name in reports]


def _lacking(*names: str) -> Outcome:
    return Outcome("open", [f"Not published yet: {and_(names)}."])


def _waits(found: Sequence[ComparisonReport], names: Sequence[str]) -> list[str]:
    missing = [name for name in names if name not in [one.name for one in found]]
    return [f"Not published yet: {and_(missing)}."] if missing else []


def _unconverged(reports: Sequence[ComparisonReport]) -> list[str]:
    short = [one.name for one in reports if not one.has_converged]
    return [f"Not known to have converged: {and_(short)}."] if short else []


def _state(refuted: bool, *, whole: bool) -> State:
    return "refuted" if refuted else "holds" if whole else "open"


def _is_short(report: ComparisonReport) -> bool:
    study = report.protocol
    return (study.backbone, study.epochs) == ("compact", _SHORT_EPOCHS)


def _change(before: Verdict, after: Verdict) -> bool:
    decided = not before.tie, not after.tie
    return decided[0] != decided[1] or (all(decided) and before.prefer != after.prefer)


def _said(verdict: Verdict) -> str:
    return "undecided" if verdict.tie else verdict.prefer


def _has(report: ComparisonReport, *measures: str) -> bool:
    return set(measures) <= {one.name for one in report.measures}


def _against(report: ComparisonReport, measure: str, loss: str) -> tuple[float, bool, str]:
    """`loss` less softmax: the value, whether it is distinguished, and both in words."""
    test = difference_of(report, measure, loss, _BASELINE)
    amount = interval(test.difference, measure_of(report, measure), sign=True)
    return test.difference.value, test.significant, f"{loss} {amount} ({p_value(test.p_adjusted)})"


def _beats(report: ComparisonReport, measure: str, one: str, other: str) -> bool:
    test, kind = difference_of(report, measure, one, other), measure_of(report, measure)
    return test.significant and (test.difference.value > 0) == kind.higher_is_better


def _best(report: ComparisonReport, measure: str) -> Sequence[str]:
    return [
        loss
        for loss in report.losses
        if not any(_beats(report, measure, one, loss) for one in report.losses if one != loss)
    ]


def _leader(report: ComparisonReport, measure: str) -> str:
    sign = 1 if measure_of(report, measure).higher_is_better else -1
    rows = [row for row in report.results if row.measure == measure]
    return max(rows, key=lambda row: sign * row.mean.value).loss


def _advantage(report: ComparisonReport, measure: str) -> Float64[np.ndarray, " seeds"]:
    """The margin losses' mean less softmax, by seed."""
    rows = {row.loss: np.array(row.by_seed) for row in report.results if row.measure == measure}
    advantage: Float64[np.ndarray, " seeds"] = (
        np.mean([rows[loss] for loss in MARGIN], axis=0) - rows[_BASELINE]
    )
    return advantage


def _points(value: float) -> str:
    return f"{100 * value:+.2f} points"


# scipy is imported late: the service's environment, which can import this package, has none.
def _differs_from_zero(values: Float64[np.ndarray, " n"]) -> float:
    """The p-value of Student's t-test of one sample."""
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(values, 0).pvalue)


def _is_greater(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " m"]) -> float:
    """The p-value of Welch's one-sided test that the first mean is greater."""
    from scipy.stats import ttest_ind

    return float(ttest_ind(first, second, equal_var=False, alternative="greater").pvalue)
