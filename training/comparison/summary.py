"""From the measured runs of a comparison to what is published of it."""

import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import get_args

import numpy as np
from jaxtyping import Float64

from models.code import commit
from models.comparison import DEFAULT, ComparisonReport, ConfusedClasses, Reader, Runs, Swap
from models.comparison_protocol import Measure, Tuned
from models.comparison_protocol import Protocol as Stated
from models.report import DatasetRecord
from training.common.provenance import hardware, versions
from training.comparison.assembly import MeasureColumn, assemble
from training.comparison.catalog import MEASURES
from training.comparison.convergence import MeasuredLength, convergence_of, training_of
from training.comparison.image_variance import ImageEffect, PairedResamples, unseen_cost
from training.comparison.run_result import Measured
from training.comparison.runs import ComparisonFolder, ComparisonJob
from training.comparison.statistics import mean_over_seeds
from training.errors import InvalidRun
from training.evaluation.paired_models import BASELINE
from training.losses import FURTHER_LOSSES

_CONFUSED = 10


def summarize(comparison: ComparisonFolder, name: str = DEFAULT) -> ComparisonReport:
    """Means, tests and verdicts of a comparison whose runs are all measured, under that name."""
    finals = [(job, Measured.read(job.path)) for job in comparison.finals()]
    measured = [*finals, *((job, Measured.read(job.path)) for job in comparison.rounds())]
    _check_left_out(measured)
    found = assemble(_table(measured, comparison.protocol.losses), comparison.protocol.goals)
    first = finals[0][1].record
    if first is None:
        raise InvalidRun(
            f"{finals[0][0].path} was measured by an older LossAtlas; name another --runs"
        )
    return ComparisonReport(
        name=name,
        losses=comparison.protocol.losses,
        further=tuple(one for one in comparison.protocol.losses if one in FURTHER_LOSSES),
        baseline=BASELINE,
        protocol=_stated(comparison, first.dataset),
        dataset=first.dataset,
        tuning=_tuning(comparison, len(first.class_names)),
        measures=found.measures,
        results=found.results,
        differences=found.differences,
        head_swap=tuple(_head_swap(measured, comparison.protocol.losses)),
        confused=tuple(_confused(measured, first.class_names, comparison.protocol.losses)),
        verdicts=found.verdicts,
        power=found.power,
        length_checks=comparison.length_checks(),
        convergence=(
            *convergence_of(_curves(finals, comparison.protocol.losses)),
            *convergence_of(
                _curves(measured[len(finals) :], comparison.protocol.losses), "unknowns"
            ),
        ),
        majority_share=_majority(finals[0][1]),
        command=shlex.join(["python", "-m", "training", *sys.argv[1:]]),
        commit=commit(),
        versions=versions(),
        hardware=_hardware(measured),
        training_seconds=comparison.training_seconds(),
        evaluated=datetime.now(UTC),
    )


def _check_left_out(measured: Iterable[tuple[ComparisonJob, Measured]]) -> None:
    """Raise InvalidRun where a run left out other classes than today's rounds do."""
    for job, run in measured:
        gone = job.left_out if run.record is None else run.record.recipe.leave_out
        if gone != job.left_out:
            raise InvalidRun(
                f"{job.path} left out {', '.join(gone) or 'no class'}, and its round leaves out "
                f"{', '.join(job.left_out)}; delete it and run this again"
            )


def _table(
    measured: Sequence[tuple[ComparisonJob, Measured]], losses: tuple[str, ...]
) -> list[MeasureColumn]:
    """Every measure that all losses have with the same seeds, two at least."""
    table = []
    for one in MEASURES:
        rows = [(job, each) for job, each in measured if one.name in each.values]
        seeds = sorted({job.seed for job, _ in rows})
        runs = {(job.loss, job.seed): each for job, each in rows}
        if len(seeds) < 2 or any((loss, seed) not in runs for loss in losses for seed in seeds):
            continue
        by_loss = {loss: [runs[loss, seed] for seed in seeds] for loss in losses}
        values = {
            loss: np.array([each.values[one.name] for each in of_loss])
            for loss, of_loss in by_loss.items()
        }
        table.append(MeasureColumn(one, values, _images(one, by_loss), _training(rows, losses)))
    return table


def _images(measure: Measure, by_loss: dict[str, list[Measured]]) -> ImageEffect | None:
    """Gather the resampled test images that the runs kept; None where one kept nothing."""
    every = [run for runs in by_loss.values() for run in runs]
    counts = {run.images for run in every}
    if len(counts) > 1 or any(measure.name not in run.resampled for run in every):
        return None
    moved = {
        loss: np.array([run.resampled[measure.name] for run in runs])
        for loss, runs in by_loss.items()
    }
    n = counts.pop() or 1
    return PairedResamples(moved, n, unseen_cost(measure, n))


def _tuning(comparison: ComparisonFolder, classes: int) -> tuple[Tuned, ...]:
    return tuple(comparison.tuning(loss).tried(classes) for loss in comparison.protocol.losses)


def _training(
    rows: Sequence[tuple[ComparisonJob, Measured]], losses: tuple[str, ...]
) -> MeasuredLength:
    """Of the runs that a measure is of."""
    runs: Runs = "unknowns" if rows[0][0].kind == "unknowns" else "final"
    return training_of(_curves(rows, losses), runs)


def _curves(
    rows: Sequence[tuple[ComparisonJob, Measured]], losses: tuple[str, ...]
) -> dict[str, list[tuple[float, ...]]]:
    return {loss: [one.tuning_curve for job, one in rows if job.loss == loss] for loss in losses}


def _majority(run: Measured) -> float | None:
    counts = np.array(run.confusions).sum(axis=1)
    return float(counts.max() / counts.sum()) if counts.sum() else None


def _hardware(measured: Sequence[tuple[ComparisonJob, Measured]]) -> str:
    """Every machine that trained a run, and in which precision."""
    found = {
        f"{one.record.hardware}, {one.precision}" for _, one in measured if one.record is not None
    }
    return "; ".join(sorted(found)) or hardware()


def _head_swap(
    measured: Iterable[tuple[ComparisonJob, Measured]], losses: tuple[str, ...]
) -> list[Swap]:
    finals = [(job, one.heads) for job, one in measured if one.heads]
    swaps = []
    for loss in losses:
        for reader in get_args(Reader):
            values = np.array([heads[reader] for job, heads in finals if job.loss == loss])
            swap = Swap(
                loss=loss,
                reader=reader,
                accuracy=mean_over_seeds(values),
                by_seed=tuple(values.tolist()),
            )
            swaps.append(swap)
    return swaps


def _confused(
    measured: Iterable[tuple[ComparisonJob, Measured]],
    names: tuple[str, ...],
    losses: tuple[str, ...],
) -> list[ConfusedClasses]:
    counts = {loss: np.zeros((len(names), len(names))) for loss in losses}
    for job, one in measured:
        if one.confusions:
            counts[job.loss] += np.array(one.confusions)
    shares = {loss: _between_classes(matrix) for loss, matrix in counts.items()}
    whole = _between_classes(np.sum(list(counts.values()), axis=0))
    pairs = sorted(combinations(range(len(names)), 2), key=lambda pair: -whole[pair])
    return [
        ConfusedClasses(
            first=names[first],
            second=names[second],
            share=float(whole[first, second]),
            by_loss={loss: float(each[first, second]) for loss, each in shares.items()},
        )
        for first, second in pairs[:_CONFUSED]
    ]


def _between_classes(counts: Float64[np.ndarray, "c c"]) -> Float64[np.ndarray, "c c"]:
    """Errors between each two classes, either way, as a share of all errors."""
    errors = counts * (1 - np.eye(len(counts)))
    shares: Float64[np.ndarray, "c c"] = (errors + errors.T) / max(1.0, errors.sum())
    return shares


def _stated(comparison: ComparisonFolder, dataset: DatasetRecord) -> Stated:
    protocol = comparison.protocol
    return Stated(
        backbone=protocol.common.backbone,
        embedding_size=protocol.common.embedding_size,
        batch_size=protocol.common.batch_size,
        optimiser=protocol.optimizer,
        precision=protocol.precision,
        recipe=protocol.stated(),
        trials=min(comparison.tuning(loss).trials for loss in protocol.losses),
        trials_per_value=None if protocol.budget.trials else protocol.budget.trials_per_value,
        tuning_epochs=protocol.budget.epochs,
        tuning_images=dataset.tuning,
        goals=protocol.goals,
        seeds=protocol.seeds,
        epochs=protocol.common.epochs,
        unknown_epochs=protocol.unknown_epochs,
        left_out=tuple({job.seed: job.left_out for job in comparison.rounds()}.values()),
    )
