"""`python -m benchmarks.serving.profile`: where a worker of this service spends its processor time.

The service gets one processor, so that it is one worker; the load is the closed loop's, from
another. The sampler itself takes some of the time and is listed.
"""

import argparse
import json
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.serving.driver import Target
from benchmarks.serving.load import closed_loop
from benchmarks.serving.markdown import table
from benchmarks.serving.peers import Server
from benchmarks.serving.running import running
from benchmarks.serving.workloads import WORKLOADS, Workload

_WARM_UP_S = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of functions."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.profile", description=__doc__
    )
    parser.add_argument("--workload", choices=WORKLOADS, default="small")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("flags", nargs="*", help="of the service, after --")
    chosen = parser.parse_args(arguments)
    workload = WORKLOADS[chosen.workload]()
    answered, spent = profile(workload, chosen.connections, chosen.seconds, chosen.flags)
    print(f"{workload.title}, {chosen.connections} connections, n = {answered:,} requests:\n")
    print(listed(spent, answered, chosen.rows))


def profile(
    workload: Workload, connections: int, seconds: float, flags: Sequence[str] = ()
) -> tuple[int, dict[str, int]]:
    """How many requests were answered, and processor nanoseconds by thread and function."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "spent.json"
        server = Server(
            name="sampled",
            title="LossAtlas, sampled",
            tuning="default settings, one processor",
            module="benchmarks.serving.sampler",
            arguments=(str(out), "--port", "{port}", *flags),
            ready="/health/ready",
        )
        with running(server, workload.images[0], cpus=[_one_processor()]) as live:
            requests = [
                server.request([workload.images[index] for index in request])
                for request in workload.requests
            ]
            target = Target(live.address, requests)
            closed_loop(target, connections, _WARM_UP_S)
            os.kill(live.session, signal.SIGUSR1)
            sample = closed_loop(target, connections, seconds)
        return len(sample.good_s), json.loads(out.read_text())


def _one_processor() -> int:
    return min(os.sched_getaffinity(0))


def listed(spent: Mapping[str, int], answered: int, rows: int) -> str:
    """A table of the places that took most, with the processor time of each for a request."""
    total = sum(spent.values())
    ranked = sorted(spent.items(), key=lambda item: -item[1])
    rest = sum(ns for _, ns in ranked[rows:])
    shown = [*ranked[:rows], ("*all others*", rest), ("*together*", total)]
    body = [
        [place, f"{ns / 1000 / max(1, answered):.1f}", f"{ns / max(1, total):.1%}"]
        for place, ns in shown
    ]
    return table(["Thread: function", "µs a request", "Share"], body)


if __name__ == "__main__":
    main()
