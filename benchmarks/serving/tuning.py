"""`python -m benchmarks.serving.tuning PEER`: other settings of a peer, tried in the closed loop.

The choice is in `peers.SERVERS`. Variants take turns in every round, like the servers.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.serving import sections, wire
from benchmarks.serving.benchmark import Benchmark
from benchmarks.serving.medians import Medians
from benchmarks.serving.peers import SERVERS, Server
from benchmarks.serving.results import Report, Settings
from benchmarks.serving.workloads import WORKLOADS

_FLAGS = {
    "ours": ("--workers 1",),
    "litserve": (
        "--queue plain",
        "--api-servers 1",
        "--batch-timeout-ms 0",
        "--batch-timeout-ms 5",
        "--max-batch-size 16",
        "--workers 1",
        "--workers 3",
    ),
    "mosec": (
        "--max-batch-size 8",
        "--max-batch-size 64",
        "--max-wait-ms 5",
        "--workers 1 --max-batch-size 64",
        "--workers 3",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of the variants."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.tuning", description=__doc__
    )
    parser.add_argument("peer", choices=[*_FLAGS, "fastapi"])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="default: var/tuning-PEER.json")
    chosen = parser.parse_args(arguments)
    out = chosen.out or Path("var") / f"tuning-{chosen.peer}.json"
    settings = Settings(
        seconds=chosen.seconds,
        rounds=chosen.rounds,
        loops=("closed",),
        connections=(1, 16, 64),
        limit_ms=1,
        probes=1,
        generator_cpus=(),
        server_cpus=(),
    )
    workloads = [make() for make in WORKLOADS.values()]
    bench = Benchmark(settings, variants(chosen.peer), workloads, "tuning", out)
    complete = bench.run(Console(stderr=True))
    print(sections.throughput(Medians(Report.model_validate_json(out.read_text()))))
    return 0 if complete else 130


def variants(peer: str) -> list[Server]:
    """The peer as it is measured, and with other settings."""
    server = next(one for one in SERVERS if one.name == peer)
    flagged = [
        replace(server, name=flags, title=flags, arguments=(*server.arguments, *flags.split()))
        for flags in _FLAGS.get(peer, ())
    ]
    pool = replace(
        server,
        name="pool",
        title="on the thread pool",
        one=("/pool/embed", wire.raw),
        many=("/pool/embed-many", wire.multipart),
    )
    return [server, *flagged, *([pool] if peer == "fastapi" else [])]


if __name__ == "__main__":
    sys.exit(main())
