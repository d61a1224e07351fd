"""The whole benchmark: floors, then rounds of every server in turn."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.progress import TimeRemainingColumn

from benchmarks import machine
from benchmarks.measured import Machine
from benchmarks.progress import Advance, progress
from benchmarks.serving.correctness import reference
from benchmarks.serving.floors import measure_floor
from benchmarks.serving.loads import Found, Turn, steps
from benchmarks.serving.packages import PACKAGES
from benchmarks.serving.peers import Server
from benchmarks.serving.peers.model import Model
from benchmarks.serving.results import (
    Floor,
    Report,
    ServerFacts,
    Settings,
    WorkloadFacts,
)
from benchmarks.serving.turn import take
from benchmarks.serving.workloads import Workload
from models import code
from models.atomic import replacing

_FLOOR_SHARE = 0.2  # of a run's seconds, for each way of each part


@dataclass(frozen=True)
class Benchmark:
    """Measures the servers; `out` is written after every turn."""

    settings: Settings
    servers: Sequence[Server]
    workloads: Sequence[Workload]
    command: str
    out: Path
    machine: Machine = field(default_factory=machine.machine)  # as it is before the start
    date: datetime = field(default_factory=lambda: datetime.now(UTC))
    floors: list[Floor] = field(default_factory=list)
    found: Found = field(default_factory=Found)

    def run(self, console: Console) -> bool:
        """Run to the end and return whether it got there; an interrupt keeps what is complete."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        if self.settings.generator_cpus:
            os.sched_setaffinity(0, self.settings.generator_cpus)
        complete = False
        try:
            with progress(self._total(), TimeRemainingColumn(), console) as advance:
                self._measure(advance)
            complete = True
        except KeyboardInterrupt:
            console.print(f"[yellow]Interrupted: {self.out} has what is complete.")
        finally:
            self._write(complete=complete)
        return complete

    def _total(self) -> int:
        turns = self.settings.rounds * len(self.servers)
        return len(self.workloads) * (1 + turns * steps(self.settings))

    def _measure(self, advance: Advance) -> None:
        model = Model()
        references = [reference(workload, model) for workload in self.workloads]
        cores = len(self.settings.server_cpus) or self.machine.cores
        for one in references:
            advance(f"floors, {one.workload.name}")
            seconds = _FLOOR_SHARE * self.settings.seconds
            self.floors.append(measure_floor(one, model, cores, seconds))
        for number in range(1, self.settings.rounds + 1):
            for server in self.servers:
                take(Turn(server, number, self.settings, self.found, advance), references)
                self._write(complete=False)

    def _write(self, *, complete: bool) -> None:
        report = Report(
            command=self.command,
            date=self.date,
            commit=code.commit(),
            complete=complete,
            machine=self.machine,
            versions=code.versions(PACKAGES),
            settings=self.settings,
            workloads=tuple(_facts(workload) for workload in self.workloads),
            servers=tuple(_described(server) for server in self.servers),
            floors=tuple(self.floors),
            starts=tuple(self.found.starts),
            checks=tuple(self.found.checks),
            closed=tuple(self.found.closed),
            open=tuple(self.found.open),
            overload=tuple(self.found.overload),
        )
        with replacing(self.out) as file:
            file.write_text(report.model_dump_json(indent=1) + "\n")


def _facts(workload: Workload) -> WorkloadFacts:
    return WorkloadFacts(
        name=workload.name,
        title=workload.title,
        images=workload.per_request,
        requests=len(workload.requests),
        mean_image_bytes=round(mean(map(len, workload.images))),
    )


def _described(server: Server) -> ServerFacts:
    return ServerFacts(
        name=server.name, title=server.title, command=server.shown(), tuning=server.tuning
    )
