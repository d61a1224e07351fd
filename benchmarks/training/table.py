"""`python -m benchmarks.training.table RESULTS`: the tables of docs/performance.md on training.

With `--into docs/performance.md` they are written there, between their two marks.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.machine import short
from benchmarks.markdown import add_page_option, deliver, table, text
from benchmarks.training.results import EpochRun, LossRun, Report, Side

COMMAND = "python -m benchmarks.training.table"
_TRIPLET_BATCH, _TRIPLET_TIMES = 512, 10.0
_WAYS = {
    "ours": "`training.loop.trainer`",
    "loop": "hand-written loop",
    "metric-learning": "MetricLossOnly",
}
_Key = tuple[str, int, int]  # loss, batch, classes


@dataclass(frozen=True)
class Cell:
    """A loss and its peer on one batch: the turn of each whose time is in the middle."""

    ours: LossRun
    peer: LossRun
    faster: float | None  # by how many times ours is: the median over turns


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("results", type=Path, help="what python -m benchmarks.training wrote")
    add_page_option(parser)
    chosen = parser.parse_args(arguments)
    tables = everything(Report.model_validate_json(chosen.results.read_text()))
    deliver(tables, COMMAND, chosen.into)


def everything(report: Report) -> str:
    """Both tables, and how they came about."""
    return "\n\n".join([caption(report), losses(report), epochs(report)])


def caption(report: Report) -> str:
    """Describe the origin of the numbers, in a paragraph."""
    where, settings = report.machine, report.settings
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    unfinished = "" if report.complete else ", **interrupted**"
    gpu = f"on {report.gpu}" if report.gpu else "no GPU was available"
    return (
        f"By `{report.command}`, {report.date:%Y-%m-%d}, commit {short(report.commit)}"
        f"{unfinished}. {where.cores} cores of {where.processor} ({', '.join(where.flags)}), "
        f"{where.memory_mib / 1024:.0f} GiB, load average before {where.load_average}, Linux "
        f"{where.kernel}, {versions}; {gpu}. Losses: 64 dimensions, 1 thread, medians of up "
        f"to {settings.repeats} repeats in a process of its own, and of {settings.turns} such, "
        f"alternating with the peer's; peer / ours: the median over turns. Memory: most that "
        f"PyTorch held at once beyond inputs and parameters, by its profiler. Epochs: "
        f"{settings.threads} threads, {settings.batch} images a step, CosFace by AdamW, "
        "the second of two epochs."
    )


def losses(report: Report) -> str:
    """Forward and backward, ours beside its peer."""
    head = (
        "Forward and backward",
        "batch",
        "classes",
        "ours",
        "peer",
        "peer / ours",
        "memory, ours",
        "peer",
        "peer / ours",
        "bar kept",
    )
    limit = report.settings.limit_mib
    rows = [
        [
            cell.ours.job.loss,
            f"{cell.ours.job.batch:,}",
            f"{cell.ours.job.classes:,}",
            text(cell.ours.median_ms, "{:.3g} ms"),
            text(cell.peer.median_ms, "{:.3g} ms"),
            text(cell.faster, "{:.2f}"),
            _mib(cell.ours.allocated_bytes, limit),
            _mib(cell.peer.allocated_bytes, limit),
            text(_times(cell.ours.allocated_bytes, cell.peer.allocated_bytes), "{:.2f}"),
            "yes" if kept(cell) else "**no**",
        ]
        for cell in cells(report)
    ]
    return table(head, rows)


def cells(report: Report) -> Iterator[Cell]:
    """All of which both sides were measured."""
    turns: dict[Side, dict[_Key, list[LossRun]]] = {"ours": {}, "peer": {}}
    for run in report.losses:
        turns[run.job.side].setdefault(_key(run), []).append(run)
    for key, ours in turns["ours"].items():
        if peers := turns["peer"].get(key):
            yield _cell(ours, peers)


def _cell(ours: Sequence[LossRun], peers: Sequence[LossRun]) -> Cell:
    pairs = zip(ours, peers, strict=False)  # an interrupted run's last turn lacks its peer
    faster = (_times(one.median_ms, other.median_ms) for one, other in pairs)
    known = [times for times in faster if times is not None]
    return Cell(_middle(ours), _middle(peers), median(known) if known else None)


def _middle(runs: Sequence[LossRun]) -> LossRun:
    """The turn whose time is in the middle; what did not fit took longest."""
    ordered = sorted(runs, key=lambda run: math.inf if run.median_ms is None else run.median_ms)
    return ordered[len(runs) // 2]


def kept(cell: Cell) -> bool:
    """No slower; for triplets at 512, ten times faster and smaller. Not to fit is to lose."""
    ours, peer = cell.ours, cell.peer
    if peer.median_ms is None:
        return ours.median_ms is not None
    faster = cell.faster or 0.0
    if (ours.job.loss, ours.job.batch) != ("triplet", _TRIPLET_BATCH):
        return faster >= 1
    smaller = _times(ours.allocated_bytes, peer.allocated_bytes) or 0.0
    return min(faster, smaller) >= _TRIPLET_TIMES


def epochs(report: Report) -> str:
    """The second epoch of each way, on the same network."""
    head = (
        "An epoch",
        "images from",
        "workers",
        "images",
        "seconds",
        "images/s",
        "evaluation",
        "loss",
        "accuracy after 2",
    )
    return table(head, [list(_epoch_row(run)) for run in report.epochs])


def _epoch_row(run: EpochRun) -> Iterator[str]:
    job = run.job
    yield f"{job.backbone}, {_WAYS[job.way]}"
    yield job.source
    yield str(job.workers)
    yield f"{run.steps * job.batch:,}"
    yield f"{run.epoch_s:.2f}"
    yield f"{run.per_s:,.0f}"
    yield text(run.evaluation_s, "{:.2f} s")
    yield f"{run.loss:.3f}"
    yield f"{run.accuracy:.1%}"


def _key(run: LossRun) -> _Key:
    return run.job.loss, run.job.batch, run.job.classes


def _times(ours: float | None, peer: float | None) -> float | None:
    return peer / ours if ours and peer else None


def _mib(count: int | None, limit_mib: int) -> str:
    return f"over {limit_mib:,} MiB, or a minute" if count is None else f"{count / 2**20:.3g} MiB"


if __name__ == "__main__":
    main()
