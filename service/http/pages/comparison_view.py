"""The comparison on the overview page: the best loss for each goal, and those as good."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from models.comparison import ComparisonReport, Difference, Reader, Result, Swap, Verdict
from models.comparison_protocol import Goal, Measure
from models.evidence.estimate import Estimate
from models.tied import unbeaten
from reports.words import turned

Mark = Literal["best", "tied", ""]

QUESTIONS: Mapping[Goal, str] = {
    "classify": "Name the class of an image",
    "retrieve": "Find similar images",
    "retrieve unseen classes": "Find similar images of classes it never saw",
    "verify": "Tell whether two images show the same class",
    "reject unknowns": "Notice images of classes it never saw",
    "be calibrated": "Say how sure it is, and be right about that",
}


@dataclass(frozen=True)
class MeasureCell:
    """One loss on one measure: alone the best, one of several that could be, or neither."""

    result: Result
    mark: Mark


@dataclass(frozen=True)
class MeasureRow:
    """One measure: each loss's cell, and each difference to the baseline as loss - baseline."""

    measure: Measure
    cells: Mapping[str, MeasureCell]
    differences: Mapping[str, Difference]


@dataclass(frozen=True)
class ComparisonView:
    """A comparison, arranged for reading."""

    report: ComparisonReport
    rows: tuple[MeasureRow, ...]
    swaps: Mapping[str, Mapping[Reader, Swap]]  # by loss
    titles: Mapping[str, str]  # by measure
    kinds: Mapping[str, str]  # how a measure's values are written

    @property
    def tables(self) -> tuple[tuple[str, ...], ...]:
        """The losses of each table: the further ones have one of their own."""
        further = self.report.further
        own = tuple(loss for loss in self.report.losses if loss not in further)
        return tuple(losses for losses in (own, further) if losses)

    @property
    def readers(self) -> tuple[Reader, ...]:
        """The readers of embeddings that were tried, in the order of their first mention."""
        return tuple(dict.fromkeys(swap.reader for swap in self.report.head_swap))

    @property
    def choices(self) -> Mapping[str, list[Goal]]:
        """The goals for which each loss is the best; undecided ones are left out."""
        found: defaultdict[str, list[Goal]] = defaultdict(list)
        for verdict in self.report.verdicts:
            if not verdict.tie:
                found[verdict.prefer].append(verdict.goal)
        return found

    @property
    def undecided(self) -> list[Goal]:
        """The goals for which no loss is distinguished as the best."""
        return [verdict.goal for verdict in self.report.verdicts if verdict.tie]

    def reached(self, verdict: Verdict) -> Estimate | None:
        """Return the mean of the best loss on the verdict's measure."""
        found = (one for one in self.report.results if one.measure == verdict.measure)
        return next((one.mean for one in found if one.loss == verdict.prefer), None)

    @property
    def preferred(self) -> Verdict | None:
        """The verdict on classification, or the first one where there is none."""
        verdicts = self.report.verdicts
        return next((one for one in verdicts if one.goal == "classify"), next(iter(verdicts), None))


def arrange(report: ComparisonReport) -> ComparisonView:
    """Arrange a comparison for reading."""
    return ComparisonView(
        report,
        tuple(_row(report, measure) for measure in report.measures),
        {
            loss: {swap.reader: swap for swap in report.head_swap if swap.loss == loss}
            for loss in report.losses
        },
        {measure.name: measure.title for measure in report.measures},
        {one.name: "percent" if one.percent else "number" for one in report.measures},
    )


def improves(found: Difference, measure: Measure) -> bool:
    """Return whether `found.first` is the better one of the two, significant or not."""
    return (found.difference.value > 0) == measure.higher_is_better


def _row(report: ComparisonReport, measure: Measure) -> MeasureRow:
    results = {one.loss: one for one in report.results if one.measure == measure.name}
    pairs = [one for one in report.differences if one.measure == measure.name]
    against = (_against(one, report.baseline) for one in pairs)
    marks = _marks(results, pairs, measure)
    return MeasureRow(
        measure,
        {loss: MeasureCell(one, marks.get(loss, "")) for loss, one in results.items()},
        {one.first: one for one in against if one is not None},
    )


def _marks(
    results: Mapping[str, Result], pairs: list[Difference], measure: Measure
) -> Mapping[str, Mark]:
    """Only where every pair was tested: an untested one is neither tied nor distinguished."""
    tested = {frozenset((pair.first, pair.second)) for pair in pairs}
    if len(tested) < len(results) * (len(results) - 1) // 2:
        return {}
    best = unbeaten(tuple(results), pairs, measure)
    return {loss: "best" if len(best) == 1 else "tied" for loss in best}


def _against(found: Difference, baseline: str) -> Difference | None:
    if found.second == baseline:
        return found
    return turned(found) if found.first == baseline else None
