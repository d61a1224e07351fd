"""From the measured runs of a comparison to what is published of it."""

import shlex
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import combinations
from typing import get_args

import numpy as np
from jaxtyping import Float64

from models.comparison import (
    ComparisonReport,
    ConfusedClasses,
    Difference,
    Measure,
    Reader,
    Swap,
    Verdict,
)
from models.comparison import Protocol as Stated
from training.comparison.measured import Measured
from training.comparison.measures import MEASURES
from training.comparison.runs import Comparison, Job
from training.comparison.statistics import BySeed, differences, mean_over_seeds, results_of
from training.comparison.verdicts import verdict
from training.evaluate.against import BASELINE
from training.losses import LOSSES
from training.provenance import code_commit, hardware, versions
from training.run import RunFolder

_CONFUSED = 10
_OPTIMISER = "AdamW, one-cycle learning rate"


def summarize(comparison: Comparison) -> ComparisonReport:
    """Means, tests and verdicts of a comparison whose runs are all measured."""
    finals = list(comparison.finals())
    measured = [(job, Measured.read(job.path)) for job in (*finals, *comparison.rounds())]
    table = {one: _by_loss(one.name, measured) for one in MEASURES}
    table = {one: by_loss for one, by_loss in table.items() if len(by_loss) == len(LOSSES)}
    tests = {one: differences(one.name, by_loss) for one, by_loss in table.items()}
    first = RunFolder(finals[0].path).record()
    return ComparisonReport(
        losses=tuple(LOSSES),
        baseline=BASELINE,
        protocol=_stated(comparison),
        dataset=first.dataset,
        tuning=tuple(comparison.tuning(loss).tried() for loss in LOSSES),
        measures=tuple(table),
        results=tuple(
            row for one, by_loss in table.items() for row in results_of(one.name, by_loss)
        ),
        differences=tuple(test for found in tests.values() for test in found),
        head_swap=tuple(_head_swap(measured)),
        confused=tuple(_confused(measured, first.class_names)),
        verdicts=tuple(_verdicts(table, tests)),
        command=shlex.join(["python", "-m", "training", *sys.argv[1:]]),
        commit=code_commit(),
        versions=versions(),
        hardware=hardware(),
        training_seconds=comparison.training_seconds(),
        evaluated=datetime.now(UTC),
    )


def _by_loss(name: str, measured: Iterable[tuple[Job, Measured]]) -> dict[str, BySeed]:
    """A measure's values by loss, in order of seeds; empty where a run lacks it."""
    rows = [(job, one.values[name]) for job, one in measured if name in one.values]
    seeds = sorted({job.seed for job, _ in rows})
    found = {(job.loss, job.seed): value for job, value in rows}
    if len(seeds) < 2 or any((loss, seed) not in found for loss in LOSSES for seed in seeds):
        return {}
    return {loss: np.array([found[loss, seed] for seed in seeds]) for loss in LOSSES}


def _verdicts(
    table: dict[Measure, dict[str, BySeed]], tests: dict[Measure, list[Difference]]
) -> list[Verdict]:
    return [
        verdict(one.goal, one, results_of(one.name, by_loss), tests[one])
        for one, by_loss in table.items()
        if one.goal is not None
    ]


def _head_swap(measured: Iterable[tuple[Job, Measured]]) -> list[Swap]:
    finals = [(job, one.heads) for job, one in measured if one.heads]
    swaps = []
    for loss in LOSSES:
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
    measured: Iterable[tuple[Job, Measured]], names: tuple[str, ...]
) -> list[ConfusedClasses]:
    counts = {loss: np.zeros((len(names), len(names))) for loss in LOSSES}
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


def _stated(comparison: Comparison) -> Stated:
    protocol = comparison.protocol
    return Stated(
        backbone=protocol.backbone,
        embedding_size=protocol.embedding_size,
        batch_size=protocol.batch_size,
        optimiser=_OPTIMISER,
        trials=protocol.budget.trials,
        tuning_epochs=protocol.budget.epochs,
        seeds=protocol.seeds,
        epochs=protocol.epochs,
        unknown_epochs=protocol.unknown_epochs,
        left_out=tuple({job.seed: job.left_out for job in comparison.rounds()}.values()),
    )
