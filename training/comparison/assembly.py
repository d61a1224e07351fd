"""From a table of measures by loss and seed to results, tests, power and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.comparison import Difference, Power, Result, Verdict
from models.comparison_protocol import GoalMeasures, Measure
from training.comparison.convergence import UNRECORDED, MeasuredLength
from training.comparison.image_variance import ImageEffect
from training.comparison.power import power_of, seeds_needed
from training.comparison.statistics import BySeed, differences, results_of
from training.comparison.verdicts import Evidence, verdict


@dataclass(frozen=True)
class MeasureColumn:
    """One measure of every loss, by seed, and what is known of its test images and its runs."""

    measure: Measure
    by_loss: Mapping[str, BySeed]
    images: ImageEffect | None = None
    training: MeasuredLength = UNRECORDED

    @property
    def stated(self) -> Measure:
        """The measure, with what its intervals and tests know of the images."""
        kind = self.images.kind if self.images else "not included"
        return self.measure.model_copy(update={"image_variance": kind})


@dataclass(frozen=True)
class Statistics:
    """The statistics of a comparison's measures."""

    measures: tuple[Measure, ...]
    results: tuple[Result, ...]
    differences: tuple[Difference, ...]
    power: tuple[Power, ...]
    verdicts: tuple[Verdict, ...]


def assemble(table: Sequence[MeasureColumn], goals: Sequence[GoalMeasures]) -> Statistics:
    """Everything that follows from the measures, the same for a new comparison and an old one."""
    columns = {column.measure.name: column for column in table}
    found = {name: _evidence(column) for name, column in columns.items()}
    decided = [goal for goal in goals if goal.primary in columns]
    powers = [_power(columns[goal.primary]) for goal in decided]
    return Statistics(
        measures=tuple(one.measure for one in found.values()),
        results=tuple(row for one in found.values() for row in one.results),
        differences=tuple(test for one in found.values() for test in one.tests),
        power=tuple(power for power in powers if power is not None),
        verdicts=tuple(_verdict(goal, columns, found) for goal in decided),
    )


def _evidence(column: MeasureColumn) -> Evidence:
    name = column.measure.name
    limits = (0.0, 1.0) if column.measure.percent else None
    return Evidence(
        column.stated,
        results_of(name, column.by_loss, column.images, limits),
        differences(name, column.by_loss, column.images),
        column.training,
    )


def _power(column: MeasureColumn) -> Power | None:
    return power_of(column.measure, column.by_loss, column.images)


def _verdict(
    goal: GoalMeasures, columns: Mapping[str, MeasureColumn], found: Mapping[str, Evidence]
) -> Verdict:
    column, evidence = columns[goal.primary], found[goal.primary]
    needed = None
    if len(evidence.best) > 1:
        needed = seeds_needed(column.measure, column.by_loss, column.images)
    secondary = [found[name] for name in goal.secondary if name in found]
    return verdict(goal.goal, evidence, needed, secondary)
