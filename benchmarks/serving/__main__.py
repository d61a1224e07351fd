"""`python -m benchmarks.serving`: this service, the floors and its peers, side by side."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console

from benchmarks.command import numbers, recorded, warn_if_busy
from benchmarks.serving.benchmark import Benchmark
from benchmarks.serving.peers import SERVERS
from benchmarks.serving.peers.model import VERSION
from benchmarks.serving.results import Loop, Settings
from benchmarks.serving.workloads import WORKLOADS

_CONNECTIONS = (1, 16, 64, 256)
_LIMIT_MS = 50.0
_QUICK_S = 0.5
_PATHS = ("--out",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 130 where it was interrupted, with what is complete written down."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen = _parse(given)
    os.environ[VERSION] = str(chosen.model_version)
    benchmark = Benchmark(
        settings=_settings(chosen),
        servers=[server for server in SERVERS if server.name in chosen.only],
        workloads=[WORKLOADS[name]() for name in chosen.workloads],
        command=" ".join(["python -m benchmarks.serving", *recorded(given, _PATHS)]),
        out=chosen.out,
    )
    console = Console(stderr=True)
    warn_if_busy(benchmark.machine, console)
    return 0 if benchmark.run(console) else 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__, allow_abbrev=False
    )
    names = [server.name for server in SERVERS]
    add = parser.add_argument
    add("--quick", action="store_true", help="one round of short runs, to see that it works")
    add("--only", type=_some_of(names), metavar="SERVER,...", default=names, help=", ".join(names))
    kinds = tuple(WORKLOADS)
    add("--workloads", type=_some_of(kinds), metavar="W,...", default=kinds, help=", ".join(kinds))
    loops = get_args(Loop)
    add("--loops", type=_some_of(loops), metavar="L,...", default=loops, help=", ".join(loops))
    add("--connections", type=numbers, metavar="N,...", default=_CONNECTIONS)
    add("--seconds", type=float, default=3.0, help="of each run of load (default 3)")
    add("--rounds", type=int, default=3, help="each measures every server (default 3)")
    add("--model-version", type=int, default=1, help="of arcface (default 1, the paper's network)")
    add("--generator-cpus", type=numbers, metavar="N,...", default=(), help="default: any")
    add("--server-cpus", type=numbers, metavar="N,...", default=(), help="default: any")
    add("--out", type=Path, default=Path("benchmarks/results/serving.json"))
    return parser.parse_args(arguments)


def _settings(chosen: argparse.Namespace) -> Settings:
    quick = chosen.quick
    return Settings(
        seconds=_QUICK_S if quick else chosen.seconds,
        rounds=1 if quick else chosen.rounds,
        loops=chosen.loops,
        connections=chosen.connections,
        limit_ms=_LIMIT_MS,
        probes=3 if quick else 6,
        generator_cpus=chosen.generator_cpus,
        server_cpus=chosen.server_cpus,
    )


def _some_of(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    names = tuple(known)

    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := set(chosen) - set(names):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not of {', '.join(names)}")
        return chosen

    return parse


if __name__ == "__main__":
    sys.exit(main())
