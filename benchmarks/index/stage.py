"""`python -m benchmarks.index.stage JOB`: one stage, in this process; its result as JSON."""

import sys
from collections.abc import Callable, Sequence

from benchmarks.apart import run_module
from benchmarks.index.building import build
from benchmarks.index.ingest import ingest
from benchmarks.index.jobs import Job, Stage
from benchmarks.index.restart import restart
from benchmarks.index.results import BuildRun, IngestRun, RestartRun, Result, SearchRun
from benchmarks.index.searching import search

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it and print the result."""
    (job,) = sys.argv[1:] if arguments is None else arguments
    print(run(Job.model_validate_json(job)).model_dump_json())


def run(job: Job) -> Result:
    """In this process."""
    return _STAGES[job.stage](job)


def run_apart(job: Job) -> Result:
    """In a new process, whose memory and caches are its own. Raises StageFailed."""
    answer = run_module("benchmarks.index.stage", job.model_dump_json())
    return _RESULTS[job.stage].model_validate_json(answer)


if __name__ == "__main__":
    main()
