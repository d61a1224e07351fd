"""`python -m benchmarks.index.table RESULTS`: the tables of docs/index.md.

With `--into docs/index.md` they are written there, between their two marks.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.index import bars, sections
from benchmarks.index.results import Report
from benchmarks.machine import short
from benchmarks.markdown import add_page_option, deliver

COMMAND = "python -m benchmarks.index.table"
_NAMED = ("python", "faiss-cpu", "numpy", "sqlite")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("results", type=Path, help="what python -m benchmarks.index wrote")
    add_page_option(parser)
    chosen = parser.parse_args(arguments)
    tables = everything(Report.model_validate_json(chosen.results.read_text()))
    deliver(tables, COMMAND, chosen.into)


def everything(report: Report) -> str:
    """All tables, and how they came about."""
    parts = {
        "The bars": bars.against(report),
        "Search among all items": sections.search(report),
        "Search among some": sections.narrowed(report),
        "Memory, disk, building, loading": sections.room(report),
        "Durable ingest": sections.ingest(report),
        "Restart, and `Collection.search`": sections.restart(report),
        "How each grows": sections.growth(report),
    }
    titled = (f"### {title}\n{text}" for title, text in parts.items())
    return "\n\n".join([caption(report), *titled])


def caption(report: Report) -> str:
    """Describe the origin of the numbers, in a paragraph."""
    where, settings = report.machine, report.settings
    versions = ", ".join(f"{name} {report.versions[name]}" for name in _NAMED)
    rounds = [each.rounds for search in report.searches for each in search.comparisons]
    fewest, most = min(rounds, default=1), max(rounds, default=settings.rounds)
    unfinished = "" if report.complete else ", **interrupted**"
    return (
        f"By `{report.command}`, {report.date:%Y-%m-%d}, commit {short(report.commit)}"
        f"{unfinished}. {where.cores} cores of {where.processor} ({', '.join(where.flags)}), "
        f"{where.memory_mib / 1024:.0f} GiB, Linux {where.kernel}, {versions}. "
        f"{report.data.dimension} dimensions, k = {settings.k}, {settings.queries:,} held-out "
        "queries: each alone, and all in one batch, by one thread. Overhead: ours beside the raw "
        f"FAISS index in it, in alternation; medians of {fewest} to {most} rounds of batches, and "
        "of the single queries."
    )


if __name__ == "__main__":
    main()
