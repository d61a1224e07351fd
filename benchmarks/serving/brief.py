"""`python -m benchmarks.serving.brief RESULTS`: the README's table, this service and two peers.

With `--into README.md` it is written there, between its two marks.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.markdown import NONE, table, text
from benchmarks.serving.medians import Medians
from benchmarks.serving.results import ClosedRun, Report
from benchmarks.serving.sections import compared_at
from models.atomic import replacing
from reports.marks import put

COMMAND = "python -m benchmarks.serving.brief"
_SERVERS = ("ours", "mosec", "fastapi")
_WORKLOADS = ("small", "photo")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("results", type=Path, help="what python -m benchmarks.serving wrote")
    parser.add_argument("--into", type=Path, help="a page with the marks")
    chosen = parser.parse_args(arguments)
    found = brief(Report.model_validate_json(chosen.results.read_text()))
    if chosen.into is None:
        print(found)
        return
    page = put(chosen.into.read_text(), COMMAND, found)
    with replacing(chosen.into) as file:
        file.write_text(page)


def brief(report: Report, servers: Sequence[str] = _SERVERS) -> str:
    """Requests a second and p99 at the compared number of connections, and how they came about."""
    found, at = Medians(report), compared_at(report)
    workloads = [one for one in report.workloads if one.name in _WORKLOADS]
    shown = [one for name in servers for one in report.servers if one.name == name]
    head = [f"{at} connections"]
    for workload in workloads:
        head += [f"{workload.title}: requests/s", "p99"]
    rows = [
        [
            server.title,
            *(cell for one in workloads for cell in _cells(found, server.name, one.name)),
        ]
        for server in shown
    ]
    where, settings = report.machine, report.settings
    rounds = "one round" if settings.rounds == 1 else f"{settings.rounds} rounds"
    return (
        f"{table(head, rows)}\n\n"
        f"{report.date:%Y-%m-%d}: {rounds} of {settings.seconds:g} s for each number, "
        f"{where.cores} cores of {where.processor}, shared with the load generator."
    )


def _cells(found: Medians, server: str, workload: str) -> tuple[str, str]:
    if found.problem(server, workload):
        return "wrong answers", NONE
    at = compared_at(found.report)
    rate = found.closed(server, workload, at, lambda run: run.rate_per_s)
    return text(rate, "{:.0f}"), text(found.closed(server, workload, at, _p99_ms), "{:.0f} ms")


def _p99_ms(run: ClosedRun) -> float | None:
    return None if run.latency is None else run.latency.p99_ms


if __name__ == "__main__":
    main()
