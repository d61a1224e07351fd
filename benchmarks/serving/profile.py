"""`python -m benchmarks.serving.profile`: where a worker of this service spends its processor time.

The service gets one processor, so that it is one worker; py-spy looks into it from outside, 500
times a second, while the closed loop loads it. Time in C code (a decoder, onnxruntime, orjson) goes
to the function that called it.
"""

import argparse
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.serving.driver import Target
from benchmarks.serving.load import closed_loop
from benchmarks.serving.peers import SERVERS
from benchmarks.serving.running import Running, running
from benchmarks.serving.workloads import WORKLOADS, Workload

_WARM_UP_S, _MARGIN_S = 0.5, 0.25
_RATE_HZ = 500
_NOT_PYTHON = "between functions"


class SamplerFailed(Exception):
    """py-spy could not look into the service; the message is its own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of functions."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.profile", description=__doc__
    )
    parser.add_argument("--workload", choices=WORKLOADS, default="small")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rows", type=int, default=30)
    chosen = parser.parse_args(arguments)
    workload = WORKLOADS[chosen.workload]()
    answered, spent = profile(workload, chosen.connections, chosen.seconds)
    print(f"{workload.title}, {chosen.connections} connections, n = {answered:,} requests:\n")
    print(listed(spent, answered, chosen.rows))


def profile(workload: Workload, connections: int, seconds: float) -> tuple[int, dict[str, float]]:
    """Return the number of answered requests, and processor seconds by function.

    Raises SamplerFailed.
    """
    server = SERVERS[0]
    with running(server, workload.images[0], cpus=[_one_processor()]) as live:
        requests = [
            server.request([workload.images[index] for index in request])
            for request in workload.requests
        ]
        target = Target(live.address, requests)
        closed_loop(target, connections, _WARM_UP_S)
        before_s = live.cpu_s()
        with ThreadPoolExecutor(1) as thread:
            looking = thread.submit(_look, live, seconds - _MARGIN_S)
            sample = closed_loop(target, connections, seconds)
            samples = looking.result()
        spent_s = live.cpu_s() - before_s
    share = spent_s / max(1, samples.total())
    return len(sample.good_s), {place: share * n for place, n in samples.items()}


def _look(live: Running, seconds: float) -> Counter[str]:
    """Count the functions found running; the service is not stopped to look."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stacks"
        command = ["py-spy", "record", "--pid", live.session, "--duration", max(1, round(seconds))]
        options = ["--rate", _RATE_HZ, "--format", "raw", "--function", "--nonblocking"]
        ended = subprocess.run(
            [*map(str, [*command, *options, "--output", out])],
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise SamplerFailed(ended.stderr.strip())
        return _innermost(out.read_text())


def _innermost(stacks: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, count = line.rpartition(" ")
        found[stack.rpartition(";")[2] or _NOT_PYTHON] += int(count)
    return found


def _one_processor() -> int:
    return min(os.sched_getaffinity(0))


def listed(spent: Mapping[str, float], answered: int, rows: int) -> str:
    """A table of the places that took most, with the processor time of each for a request."""
    total = sum(spent.values())
    ranked = sorted(spent.items(), key=lambda item: -item[1])
    rest = sum(seconds for _, seconds in ranked[rows:])
    shown = [*ranked[:rows], ("*all others*", rest), ("*together*", total)]
    body = [
        [place, f"{1e6 * seconds / max(1, answered):.1f}", f"{seconds / total:.1%}"]
        for place, seconds in shown
    ]
    return table(["Function", "µs a request", "Share"], body)


if __name__ == "__main__":
    main()
