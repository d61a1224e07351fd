"""The bars for collections, checked at the largest size that was measured."""

from collections.abc import Iterator

from benchmarks.index.cells import latency, seconds, signed, whole
from benchmarks.index.results import Report
from benchmarks.markdown import table

OVERHEAD = 0.05
RECALL = 0.98
P99_MS = 10.0
ITEMS_PER_S = 20_000
RESTART_S = 5.0

Row = tuple[str, str, str, bool]  # what, bar, measured, kept


def against(report: Report) -> str:
    """A table of all that was measured so far at the largest size."""
    sizes = [run.size for run in report.ingests]
    if not sizes:
        return "Nothing was measured yet."
    size = max(sizes)
    rows = [*_searches(report, size), *_ingests(report, size), *_restarts(report, size)]
    lines = [
        [what, bar, measured, "yes" if kept else "**no**"] for what, bar, measured, kept in rows
    ]
    return table((f"At {size:,} vectors", "bar", "measured", "kept"), lines)


def _searches(report: Report, size: int) -> Iterator[Row]:
    for run in (run for run in report.searches if run.size == size):
        found = run.case("plain")
        if run.vectors == "memory":
            share = found.batch_overhead
            what = f"{run.kind} over raw FAISS, batched"
            yield what, f"at most {signed(OVERHEAD)}", signed(share), share <= OVERHEAD
        if run.auto and run.as_served:
            recall, single = found.ours.recall, found.ours.single
            yield "recall@10 of `auto`", f"{RECALL}", f"{recall:.4f}", recall >= RECALL
            bar, kept = f"p99 under {P99_MS:g} ms", single.p99_ms < P99_MS
            yield "one query in the index of `auto`, p50 / p99", bar, latency(single), kept


def _ingests(report: Report, size: int) -> Iterator[Row]:
    for run in (run for run in report.ingests if run.size == size):
        kept = run.per_s >= ITEMS_PER_S
        yield "durable ingest, items/s", f"{ITEMS_PER_S:,}", whole(run.per_s), kept


def _restarts(report: Report, size: int) -> Iterator[Row]:
    for run in (run for run in report.restarts if (run.size, run.source) == (size, "snapshot")):
        taken, bar = run.first_right_s, f"under {RESTART_S:g} s"
        yield "restart, to the first right answer", bar, seconds(taken), taken < RESTART_S
        for found in (one.latency for one in run.searches if one.case == "plain"):
            bar, kept = f"p99 under {P99_MS:g} ms", found.p99_ms < P99_MS
            yield "one query by `Collection.search`, p50 / p99", bar, latency(found), kept
