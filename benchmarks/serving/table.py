"""`python -m benchmarks.serving.table RESULTS`: Markdown tables of a run of the benchmark."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.machine import short
from benchmarks.serving import sections
from benchmarks.serving.medians import Medians
from benchmarks.serving.results import Report, Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.table", description=__doc__)
    parser.add_argument("results", type=Path, help="what python -m benchmarks.serving wrote")
    parser.add_argument("--summary", action="store_true", help="only the first table")
    chosen = parser.parse_args(arguments)
    report = Report.model_validate_json(chosen.results.read_text())
    print(summary(report) if chosen.summary else everything(report))


def summary(report: Report) -> str:
    """The table of throughput, and how it was measured."""
    return f"{sections.throughput(Medians(report))}\n\n{caption(report)}"


def everything(report: Report) -> str:
    """All tables, for docs/performance.md."""
    found = Medians(report)
    limit = f"{report.settings.limit_ms:g} ms"
    at = f"{sections.compared_at(report)} connections"
    counts = ", ".join(map(str, report.settings.connections))
    parts = {
        "Throughput": summary(report),
        f"Share of what the parts allow, {at}": sections.shares(found),
        f"Latency in ms, p50 / p99, at {counts} connections": sections.latencies(found),
        f"Highest rate with p99 under {limit}, requests a second": sections.open_loop(found),
        "Overload: twice the closed loop's best rate": sections.overload(found),
        "The parts by themselves, µs on one core": sections.floors(report),
        "Tuning": sections.tuning(report),
    }
    return "\n\n".join(f"### {title}\n{text}" for title, text in parts.items())


def caption(report: Report) -> str:
    """Describe the origin of the numbers, in a paragraph."""
    where = report.machine
    flags = ", ".join(where.flags) or "no AVX2"
    versions = ", ".join(
        f"{name} {report.versions[name]}" for name in _NAMED if name in report.versions
    )
    return (
        f"By `{report.command}`, {report.date:%Y-%m-%d}, commit {short(report.commit)}: "
        f"{_rounds(report)}. {where.cores} cores of {where.processor} ({flags}), "
        f"{_shared(report.settings)}, which takes {_generator(report)} µs a request; Linux "
        f"{where.kernel}, {versions}. CPU a request: of all processes of the server. Both are at "
        f"{sections.compared_at(report)} connections in the first column. Memory: PSS after the "
        "first answer. Start: to the first answer. †: some requests got no good answer."
    )


def _shared(settings: Settings) -> str:
    if not settings.server_cpus and not settings.generator_cpus:
        return "shared by server and load generator"
    cpus = (
        ", ".join(map(str, one)) or "any" for one in (settings.server_cpus, settings.generator_cpus)
    )
    return "the server on {} and the load generator on {}".format(*cpus)


def _rounds(report: Report) -> str:
    seconds = f"{report.settings.seconds:g} s for each number"
    left_off = "" if report.complete else ", **interrupted**"
    if report.settings.rounds == 1:
        return f"one round, {seconds}{left_off}"
    middle, most = Medians(report).spread()
    return (
        f"medians of {report.settings.rounds} interleaved rounds, {seconds}{left_off}; between "
        f"rounds the rates differ by {middle:.0%} in the middle and by {most:.0%} at most"
    )


def _generator(report: Report) -> str:
    place = (report.workloads[0].name, sections.compared_at(report))
    runs = (run for run in report.closed if (run.workload, run.connections) == place)
    costs = [run.generator_cpu_us for run in runs]
    return f"{median(costs):.0f}" if costs else "?"


_NAMED = ("python", "onnxruntime", "onnxruntime-gpu", "fastapi", "uvicorn", "litserve", "mosec")


if __name__ == "__main__":
    main()
