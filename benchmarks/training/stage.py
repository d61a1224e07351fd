"""`python -m benchmarks.training.stage FOLDER JOB`: one job in this process; its result as JSON."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.apart import run_module
from benchmarks.training import epochs, losses
from benchmarks.training.results import EpochRun, Job, LossJob, LossRun, Result

PATIENCE_S = 60.0  # for all repeats of one loss
_JOB: TypeAdapter[Job] = TypeAdapter(Job)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it and print the result."""
    folder, job = sys.argv[1:] if arguments is None else arguments
    print(run(_JOB.validate_json(job), Path(folder)).model_dump_json())


def run(job: Job, folder: Path) -> Result:
    """In this process; `folder` has the images."""
    return losses.measure(job) if isinstance(job, LossJob) else epochs.measure(job, folder)


def run_apart(job: Job, folder: Path) -> Result:
    """In a new process, whose memory and threads are its own. Raises StageFailed."""
    timeout_s = PATIENCE_S if isinstance(job, LossJob) else None
    arguments = (str(folder), job.model_dump_json())
    try:
        answer = run_module("benchmarks.training.stage", *arguments, timeout_s=timeout_s)
    except subprocess.TimeoutExpired:
        if not isinstance(job, LossJob):
            raise
        return losses.too_much(job)
    schema: type[Result] = LossRun if isinstance(job, LossJob) else EpochRun
    return schema.model_validate_json(answer)


if __name__ == "__main__":
    main()
