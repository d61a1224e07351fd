"""Medians over the rounds of a report."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from benchmarks.serving.results import Cell, ClosedRun, OpenRun, OverloadRun, Report, StartRun

Run = TypeVar("Run")
Kind = TypeVar("Kind", bound=Cell)


@dataclass(frozen=True)
class Medians:
    """The medians of a server and a workload; none where it was not measured."""

    report: Report

    def closed(
        self,
        server: str,
        workload: str,
        connections: int,
        value: Callable[[ClosedRun], float | None],
    ) -> float | None:
        """Of the closed loop with that many connections."""
        runs = _of(self.report.closed, server, workload)
        return middle((run for run in runs if run.connections == connections), value)

    def open(self, server: str, workload: str, value: Callable[[OpenRun], float]) -> float | None:
        """Of the open loop."""
        return middle(_of(self.report.open, server, workload), value)

    def overload(
        self, server: str, workload: str, value: Callable[[OverloadRun], float | None]
    ) -> float | None:
        """Of the overload."""
        return middle(_of(self.report.overload, server, workload), value)

    def start(self, server: str, value: Callable[[StartRun], float]) -> float | None:
        """Of the starts."""
        return middle((run for run in self.report.starts if run.server == server), value)

    def problem(self, server: str, workload: str) -> str | None:
        """The first thing that was wrong with its answers, before or during a run of load."""
        checks = (run.answers for run in _of(self.report.checks, server, workload))
        during = (run.answers for run in _of(self.report.closed, server, workload))
        problems = (answers.problem for answers in (*checks, *during))
        return next((problem for problem in problems if problem is not None), None)

    def spread(self) -> tuple[float, float]:
        """Measure the spread of the rates of rounds, as a share: in the middle, and at most."""
        rates: dict[tuple[str, str, int], list[float]] = {}
        for run in self.report.closed:
            key = (run.server, run.workload, run.connections)
            rates.setdefault(key, []).append(run.rate_per_s)
        apart = [(max(row) - min(row)) / median(row) for row in rates.values() if median(row) > 0]
        return (median(apart), max(apart)) if apart else (0.0, 0.0)


def middle(runs: Iterable[Run], value: Callable[[Run], float | None]) -> float | None:
    """The median of what is known of the runs; none where nothing is."""
    known = [number for run in runs if (number := value(run)) is not None]
    return median(known) if known else None


def _of(runs: Iterable[Kind], server: str, workload: str) -> Iterable[Kind]:
    return (run for run in runs if (run.server, run.workload) == (server, workload))
