"""The whole benchmark: each job in a process of its own, its result on disk at once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch
from pydantic import ValidationError
from rich.console import Console
from rich.progress import TimeElapsedColumn

from benchmarks import machine
from benchmarks.measured import Machine
from benchmarks.progress import progress
from benchmarks.training.images import Images
from benchmarks.training.jobs import plan
from benchmarks.training.results import Job, Report, Result, Settings
from benchmarks.training.stage import run_apart
from models import code
from models.atomic import replacing

_PACKAGES = ("torch", "torchvision", "pytorch-metric-learning", "numpy", "pillow")


@dataclass(frozen=True)
class Benchmark:
    """Measures job by job; `out` is written after each, and taken up by the next run."""

    settings: Settings
    command: str
    out: Path
    work: Path
    run_job: Callable[[Job, Path], Result] = run_apart
    machine: Machine = field(default_factory=machine.machine)  # as it is before the start
    date: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self, console: Console) -> bool:
        """Run to the end and return whether it got there; an interrupt keeps what is complete."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        report = self._begun() or self._empty()
        left = [job for job in plan(self.settings) if job.model_dump_json() not in report.done]
        try:
            with progress(1 + len(left), TimeElapsedColumn(), console) as advance:
                advance("images")
                Images(self.work, max(self.settings.images.values())).prepare()
                for job in left:
                    advance(job.title)
                    report = report.with_result(self.run_job(job, self.work))
                    self._write(report)
        except KeyboardInterrupt:
            console.print(f"[yellow]Interrupted: {self.out} has what is complete.")
            return False
        self._write(report.model_copy(update={"complete": True}))
        return True

    def _write(self, report: Report) -> None:
        with replacing(self.out) as file:
            file.write_text(report.model_dump_json(indent=1) + "\n")

    def _empty(self) -> Report:
        return Report(
            command=self.command,
            date=self.date,
            commit=code.commit(),
            complete=False,
            machine=self.machine,
            versions=code.versions(_PACKAGES),
            gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            settings=self.settings,
        )

    def _begun(self) -> Report | None:
        """Read what an earlier run of the same code finished; none where the code is unknown."""
        try:
            found = Report.model_validate_json(self.out.read_text())
        except (OSError, ValidationError):
            return None
        fresh = self._empty()
        same = ("commit", "versions", "settings", "gpu")
        if any(getattr(found, name) != getattr(fresh, name) for name in same):
            return None
        unsure = found.commit is None or found.commit.endswith("+")
        return None if unsure or found.complete else found
