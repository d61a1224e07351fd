"""Quantities that grow with the number of vectors, for the plot, and their powers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

from benchmarks.index.results import Kind, Report, SearchRun

Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Quantity:
    """One number of each search run."""

    title: str
    unit: str
    value: Callable[[SearchRun], float]


RECALL = Quantity("recall@10", "", lambda run: run.case("plain").ours.recall)
QUANTITIES = (
    Quantity("one query, p50", "ms", lambda run: run.case("plain").ours.single.p50_ms),
    Quantity("one query, p99", "ms", lambda run: run.case("plain").ours.single.p99_ms),
    Quantity("a query in a batch", "ms", lambda run: 1000 / run.case("plain").ours.per_s),
    Quantity("memory", "MiB", lambda run: run.memory_bytes / (1 << 20)),
    Quantity("disk", "MiB", lambda run: run.disk_bytes / (1 << 20)),
    Quantity("load", "s", lambda run: run.load_s),
)


def points(report: Report, kind: Kind, value: Callable[[SearchRun], float]) -> Points:
    """The number at each size; compact re-ranks with vectors from SQLite, as the service does."""
    runs = (run for run in report.searches if run.kind == kind and run.as_served)
    return sorted((run.size, value(run)) for run in runs)


def power(found: Sequence[tuple[int, float]]) -> float | None:
    """Of n, from the smallest size to the largest; none of fewer than two, or where one is 0."""
    if len(found) < 2 or min(value for _, value in found) <= 0:
        return None
    (small, low), (large, high) = found[0], found[-1]
    return log(high / low) / log(large / small)
