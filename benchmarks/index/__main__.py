"""`python -m benchmarks.index`: collections and their indexes, beside raw FAISS and SQLite."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.command import numbers, recorded, warn_if_busy
from benchmarks.index.benchmark import Benchmark
from benchmarks.index.results import Settings
from models.machine import processors

_SIZES = (10_000, 100_000, 1_000_000)
_QUICK_SIZES = (10_000,)
_QUICK_S = 0.3
_PATHS = ("--out", "--work")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 130 where it was interrupted, with what is complete written down."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen = _parse(given)
    benchmark = Benchmark(
        settings=_settings(chosen),
        command=" ".join(["python -m benchmarks.index", *recorded(given, _PATHS)]),
        out=chosen.out,
        work=chosen.work.absolute(),
    )
    console = Console(stderr=True)
    warn_if_busy(benchmark.machine, console)
    return 0 if benchmark.run(console) else 130


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.index", description=__doc__, allow_abbrev=False
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="10,000 vectors, briefly, to see that it works")
    add("--sizes", type=numbers, metavar="N,...", help="default 10000,100000,1000000")
    add("--seconds", type=float, default=2.5, help="of each comparison, about (default 2.5)")
    add("--rounds", type=int, default=15, help="of batches, at most (default 15)")
    add("--build-threads", type=int, default=processors(), help="default: all processors")
    add("--out", type=Path, default=Path("benchmarks/results/index.json"))
    add("--work", type=Path, default=Path("var/benchmark-index"), help="for data and indexes")
    return parser.parse_args(arguments)


def _settings(chosen: argparse.Namespace) -> Settings:
    return Settings(
        sizes=chosen.sizes or (_QUICK_SIZES if chosen.quick else _SIZES),
        k=10,
        queries=1000,
        put_items=1000,
        build_threads=chosen.build_threads,
        rounds=3 if chosen.quick else chosen.rounds,
        seconds=_QUICK_S if chosen.quick else chosen.seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
