"""`python -m benchmarks.training`: training beside hand-written loops and other losses."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.command import recorded, warn_if_busy
from benchmarks.training.benchmark import Benchmark
from benchmarks.training.results import Settings
from models.machine import processors

_PATHS = ("--out", "--work")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 130 where it was interrupted, with what is complete written down."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen = _parse(given)
    benchmark = Benchmark(
        settings=_settings(chosen.quick, chosen.threads),
        command=" ".join(["python -m benchmarks.training", *recorded(given, _PATHS)]),
        out=chosen.out,
        work=chosen.work.absolute(),
    )
    console = Console(stderr=True)
    warn_if_busy(benchmark.machine, console)
    return 0 if benchmark.run(console) else 130


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, allow_abbrev=False
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="few images and repeats, to see that it works")
    add("--threads", type=int, default=processors(), help="of epochs; losses have one each")
    add("--out", type=Path, default=Path("benchmarks/results/training.json"))
    add("--work", type=Path, default=Path("var/benchmark-training"), help="for the images")
    return parser.parse_args(arguments)


def _settings(quick: bool, threads: int) -> Settings:
    return Settings(
        batches=(128, 512, 2048),
        many_classes=(512, 1000),
        repeats=20 if quick else 300,
        seconds=0.5 if quick else 1.0,
        turns=1 if quick else 3,
        limit_mib=3072,
        images={"compact": 768, "airbench": 256} if quick else {"compact": 7680, "airbench": 2048},
        batch=128 if quick else 256,
        threads=threads,
    )


if __name__ == "__main__":
    sys.exit(main())
