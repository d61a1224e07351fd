"""`python -m benchmarks.training.bundles --data DIR`: models from raw images to bundles, timed.

Runs `python -m training run` for each loss, in a registry of its own; further arguments are
passed on. Runs on the GPU where there is one, and says which.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks import machine
from benchmarks.measured import Machine
from benchmarks.training.peers import PEERS
from models import code
from models.atomic import replacing
from models.manifest import Frozen

_ROOT = Path(__file__).parents[2]


class Bundles(Frozen):
    """Seconds from images to a published bundle, loss by loss; the first decodes the images."""

    command: str
    date: datetime
    commit: str | None
    machine: Machine
    gpu: str | None
    seconds: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, export, evaluate and publish; the first failure's status, or 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.bundles", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--data", required=True, help="as of python -m training run")
    parser.add_argument("--losses", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--work", type=Path, default=Path("var/benchmark-bundles"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/bundles.json"))
    chosen, passed_on = parser.parse_known_args(arguments)
    here, seconds = machine.machine(), {}
    for loss in chosen.losses:
        start = time.perf_counter()
        done = subprocess.run(_command(loss, chosen, passed_on), cwd=_ROOT, check=False)
        if done.returncode:
            return done.returncode
        seconds[loss] = round(time.perf_counter() - start, 2)
        found = Bundles(
            command=" ".join(["python -m benchmarks.training.bundles", *passed_on]),
            date=datetime.now(UTC),
            commit=code.commit(),
            machine=here,
            gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            seconds=seconds,
        )
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(chosen.out) as file:
            file.write_text(found.model_dump_json(indent=1) + "\n")
    return 0


def _command(loss: str, chosen: argparse.Namespace, passed_on: Sequence[str]) -> list[str]:
    work = chosen.work.absolute()
    data = chosen.data if chosen.data == "cifar10" else str(Path(chosen.data).absolute())
    command = [sys.executable, "-m", "training", "run", "--loss", loss, "--data", data]
    for name in ("runs", "cache", "registry"):
        command += [f"--{name}", str(work / name)]
    return [*command, *passed_on]


if __name__ == "__main__":
    sys.exit(main())
