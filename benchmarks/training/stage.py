"""`python -m benchmarks.training.stage FOLDER JOB`: one job in this process; its result as JSON."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.training import epochs, losses
from benchmarks.training.results import EpochRun, Job, LossJob, LossRun, Result

_ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0  # for all repeats of one loss
_JOB: TypeAdapter[Job] = TypeAdapter(Job)


class StageFailed(Exception):
    """The process did not come to its end."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it and print the result."""
    folder, job = sys.argv[1:] if arguments is None else arguments
    print(run(_JOB.validate_json(job), Path(folder)).model_dump_json())


def run(job: Job, folder: Path) -> Result:
    """In this process; `folder` has the images."""
    return losses.measure(job) if isinstance(job, LossJob) else epochs.measure(job, folder)


def run_apart(job: Job, folder: Path) -> Result:
    """In a new process, whose memory and threads are its own. Raises StageFailed."""
    command = [sys.executable, "-m", "benchmarks.training.stage", str(folder)]
    command.append(job.model_dump_json())
    told = {"cwd": _ROOT, "capture_output": True, "text": True}
    patience = PATIENCE_S if isinstance(job, LossJob) else None
    try:
        done = subprocess.run(command, check=False, timeout=patience, **told)  # type: ignore[call-overload]
    except subprocess.TimeoutExpired:
        if not isinstance(job, LossJob):
            raise
        return losses.too_much(job)
    if done.returncode:
        raise StageFailed(f"{job.title} failed:\n{done.stderr[-3000:]}")
    schema: type[Result] = LossRun if isinstance(job, LossJob) else EpochRun
    return schema.model_validate_json(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
