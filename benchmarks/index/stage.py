"""`python -m benchmarks.index.stage JOB`: one stage, in this process; its result as JSON."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.index.building import build
from benchmarks.index.ingest import ingest
from benchmarks.index.jobs import Job, Stage
from benchmarks.index.restart import restart
from benchmarks.index.results import BuildRun, IngestRun, RestartRun, Result, SearchRun
from benchmarks.index.searching import search

_ROOT = Path(__file__).parents[2]
_STAGES: dict[Stage, Callable[[Job], Result]] = {
    "ingest": ingest,
    "build": build,
    "search": search,
    "restart": restart,
}
_RESULTS: dict[Stage, type[Result]] = {
    "ingest": IngestRun,
    "build": BuildRun,
    "search": SearchRun,
    "restart": RestartRun,
}


class StageFailed(Exception):
    """The process did not come to its end."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it and print the result."""
    (job,) = sys.argv[1:] if arguments is None else arguments
    told = Job.model_validate_json(job)
    print(run(told).model_dump_json())


def run(job: Job) -> Result:
    """In this process."""
    return _STAGES[job.stage](job)


def run_apart(job: Job) -> Result:
    """In a new process, whose memory and caches are its own. Raises StageFailed."""
    command = [sys.executable, "-m", "benchmarks.index.stage", job.model_dump_json()]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StageFailed(f"{job.stage} of {job.size:,} ({job.kind}) failed:\n{done.stderr}")
    return _RESULTS[job.stage].model_validate_json(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
