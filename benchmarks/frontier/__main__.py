"""`python -m benchmarks.frontier FOLDER...`: accuracy beside speed, of bundles and runs."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.command import warn_if_busy
from benchmarks.frontier.measure import BATCH_SIZE, golden_images, point
from benchmarks.frontier.results import Report
from benchmarks.machine import machine
from models.atomic import replacing
from models.bundle import MODEL, REPORT
from models.code import commit, versions

_PACKAGES = ("onnxruntime-gpu", "onnxruntime", "numpy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Time each network and write the JSON file; 1 where a folder holds none."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen = _parse(given)
    console = Console(stderr=True, soft_wrap=True)
    for folder in chosen.folders:
        for name in (MODEL, REPORT):
            if not (folder / name).is_file():
                console.print(f"error: {folder} has no {name}; export and evaluate it first")
                return 1
    here = machine()
    warn_if_busy(here, console)
    images = golden_images(chosen.images)
    threads = len(os.sched_getaffinity(0))
    found = [
        point(folder, images, threads, chosen.seconds)
        for folder in track(chosen.folders, "timing networks", console=console)
    ]
    report = Report(
        command=" ".join(["python -m benchmarks.frontier", *given]),
        commit=commit(),
        date=datetime.now(UTC),
        machine=here,
        versions=versions(_PACKAGES),
        batch_size=BATCH_SIZE,
        threads=threads,
        points=tuple(sorted(found, key=lambda one: -one.images_per_s)),
    )
    with replacing(chosen.out) as file:
        file.write_text(report.model_dump_json(indent=2) + "\n")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frontier", description=__doc__)
    add = parser.add_argument
    add("folders", type=Path, nargs="+", metavar="FOLDER", help="a bundle or an evaluated run")
    add(
        "--images", type=Path, default=Path("models/registry/softmax/1"), help="of its golden batch"
    )
    add("--seconds", type=float, default=5.0, help="of each timing (default 5)")
    add("--out", type=Path, default=Path("benchmarks/results/frontier.json"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
