"""The whole benchmark: for each size a collection, an index of each kind, searches, restarts."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.progress import TimeElapsedColumn

from benchmarks import machine
from benchmarks.index.data import CLASSES, DIMENSION, published_models
from benchmarks.index.jobs import Job
from benchmarks.index.results import KINDS, DataFacts, Report, Result, Settings
from benchmarks.index.stage import run_apart
from benchmarks.measured import Machine
from benchmarks.progress import Advance, progress
from models import code
from models.atomic import replacing

_PACKAGES = ("faiss-cpu", "numpy")
_STEPS = 11  # of one size: data, ingest, three builds, four searches, two restarts


@dataclass(frozen=True)
class Benchmark:
    """Measures size by size; `out` is written after each stage, and taken up after each size."""

    settings: Settings
    command: str
    out: Path
    work: Path
    run_stage: Callable[[Job], Result] = run_apart
    machine: Machine = field(default_factory=machine.machine)  # as it is before the start
    date: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self, console: Console) -> bool:
        """Run to the end and return whether it got there; an interrupt keeps what is complete."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(self.out, self._begun() or self._empty())
        left = [size for size in self.settings.sizes if size not in ledger.report.finished]
        try:
            with progress(_STEPS * len(left), TimeElapsedColumn(), console) as advance:
                for size in left:
                    self._measure(size, ledger, advance)
        except KeyboardInterrupt:
            console.print(f"[yellow]Interrupted: {self.out} has what is complete.")
        return ledger.report.complete

    def _measure(self, size: int, ledger: "Ledger", advance: Advance) -> None:
        folder = self.work / str(size)
        shutil.rmtree(folder, ignore_errors=True)
        for job in plan(size, self.work, self.settings):
            advance(job.title)
            if job.stage == "data":
                job.data.prepare()
            else:
                ledger.add(self.run_stage(job))
        shutil.rmtree(folder)
        ledger.finish(size)

    def _empty(self) -> Report:
        return Report(
            command=self.command,
            date=self.date,
            commit=code.commit(),
            finished=(),
            machine=self.machine,
            versions=_versions(),
            settings=self.settings,
            data=DataFacts(dimension=DIMENSION, classes=CLASSES, galleries=published_models()),
        )

    def _begun(self) -> Report | None:
        """Read what an earlier run of the same code finished; none where the code is unknown."""
        try:
            found = Report.model_validate_json(self.out.read_text())
        except (OSError, ValidationError):
            return None
        fresh = self._empty()
        same = ("commit", "versions", "settings", "data")
        if any(getattr(found, name) != getattr(fresh, name) for name in same):
            return None
        unsure = found.commit is None or found.commit.endswith("+")
        return None if unsure or found.complete else found.only(found.finished)


@dataclass
class Ledger:
    """The report so far, on disk after each change."""

    out: Path
    report: Report

    def add(self, result: Result) -> None:
        """One stage's result."""
        self._set(self.report.with_result(result))

    def finish(self, size: int) -> None:
        """Everything of that size was measured."""
        finished = (*self.report.finished, size)
        self._set(self.report.model_copy(update={"finished": finished}))

    def _set(self, report: Report) -> None:
        self.report = report
        with replacing(self.out) as file:
            file.write_text(report.model_dump_json(indent=1) + "\n")


def plan(size: int, work: Path, settings: Settings) -> Iterator[Job]:
    """List the jobs for one size, each in a process of its own."""
    job = Job(stage="data", size=size, work=work, settings=settings)
    yield job
    yield job.but(stage="ingest")
    for kind in KINDS:
        yield job.but(stage="build", kind=kind)
        yield job.but(stage="search", kind=kind)
    yield job.but(stage="search", kind="compact", vectors="items")
    yield job.but(stage="restart")
    yield job.but(stage="restart", source="items")


def _versions() -> dict[str, str]:
    return {**code.versions(_PACKAGES), "sqlite": sqlite3.sqlite_version}
