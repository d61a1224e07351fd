"""Each table of docs/index.md."""

from collections.abc import Iterator

from benchmarks.index.cells import each, latency, mib, seconds, signed, whole
from benchmarks.index.quantities import QUANTITIES, points, power
from benchmarks.index.results import KINDS, BuildRun, Report, RestartRun, SearchRun
from benchmarks.markdown import NONE, table, text

_NARROWED = {"half": "filter: 50 %", "hundredth": "filter: 1 %", "tombstones": "5 % deleted"}


def search(report: Report) -> str:
    """All items: recall and speed of each kind, and what the protocol costs."""
    head = (
        "Vectors, kind",
        "recall@10",
        "one query, p50 / p99",
        "queries/s, batched",
        "raw FAISS",
        "overhead, batched",
        "overhead, one query",
    )
    return table(head, [list(_search_row(run)) for run in report.searches])


def _search_row(run: SearchRun) -> Iterator[str]:
    found = run.case("plain")
    yield _named(run)
    yield f"{found.ours.recall:.4f}"
    yield latency(found.ours.single)
    yield whole(found.ours.per_s)
    yield whole(found.raw.per_s)
    yield signed(found.batch_overhead)
    yield signed(found.single_overhead)


def narrowed(report: Report) -> str:
    """Filters and deletions, beside raw FAISS with a selector."""
    head = (
        "Vectors, kind",
        "among",
        "recall@10",
        "raw FAISS",
        "one query, p50 / p99",
        "raw FAISS",
        "queries/s, batched",
        "raw FAISS",
    )
    rows = [
        list(_narrowed_row(run, case, title))
        for run in report.searches
        for case, title in _NARROWED.items()
    ]
    return table(head, rows)


def _narrowed_row(run: SearchRun, case: str, title: str) -> Iterator[str]:
    found = run.case(case)
    yield from (_named(run), title)
    yield from (f"{way.recall:.4f}" for way in (found.ours, found.raw))
    yield from (latency(way.single) for way in (found.ours, found.raw))
    yield from (whole(way.per_s) for way in (found.ours, found.raw))


def room(report: Report) -> str:
    """Memory, disk, and how long it takes to build and to load."""
    builds = {(one.size, one.kind): one for one in report.builds}
    head = (
        "Vectors, kind",
        "memory",
        "an item",
        "computed",
        "disk, an item",
        "build",
        "its peak",
        "load",
    )
    served = (run for run in report.searches if run.as_served)
    rows = [
        [
            _named(run),
            mib(run.memory_bytes),
            each(run.memory_bytes, run.size),
            each(run.computed_bytes, run.size),
            each(run.disk_bytes, run.size),
            *_built(builds.get((run.size, run.kind))),
            seconds(run.load_s),
        ]
        for run in served
    ]
    return table(head, rows)


def _built(build: BuildRun | None) -> tuple[str, str]:
    if build is None:
        return NONE, NONE
    return seconds(build.add_s + build.build_s), mib(build.peak_bytes)


def ingest(report: Report) -> str:
    """Durable writes, the floors below them, and the index that follows."""
    head = (
        "Vectors",
        "items/s, durable",
        "one put, p50 / p99",
        "SQLite alone, rows/s",
        "one fsync, p50",
        "index has all after",
        "SQLite, an item",
        "index, an item",
        "peak memory",
    )
    rows = [
        [
            whole(run.size),
            whole(run.per_s),
            latency(run.put),
            whole(run.floors.insert_per_s),
            f"{run.floors.fsync.p50_ms:.3g} ms",
            f"{seconds(run.caught_up_s)} ({run.kind_in_use})",
            each(run.database_bytes, run.size),
            each(run.index_bytes, run.size),
            mib(run.peak_bytes),
        ]
        for run in report.ingests
    ]
    return table(head, rows)


def restart(report: Report) -> str:
    """A new process: its first right answer, and what each answer takes from then on."""
    head = (
        "Vectors",
        "first right answer",
        "with no saved index",
        "one query, p50 / p99",
        "filter: 50 %",
        "filter: 1 %",
    )
    sizes = dict.fromkeys(run.size for run in report.restarts)
    return table(head, [list(_restart_row(report, size)) for size in sizes])


def _restart_row(report: Report, size: int) -> Iterator[str]:
    runs = {run.source: run for run in report.restarts if run.size == size}
    yield whole(size)
    for source in ("snapshot", "items"):
        yield seconds(runs[source].first_right_s) if source in runs else NONE
    yield from _answers(runs.get("snapshot"))


def _answers(run: RestartRun | None) -> Iterator[str]:
    found = {one.case: one.latency for one in run.searches} if run is not None else {}
    for case in ("plain", "half", "hundredth"):
        yield latency(found[case]) if case in found else NONE


def growth(report: Report) -> str:
    """The power of n that each quantity grows with."""
    rows = [
        [one.title, *(text(power(points(report, kind, one.value)), "{:.2f}") for kind in KINDS)]
        for one in QUANTITIES
    ]
    return table(("n to the power of", *KINDS), rows)


def _named(run: SearchRun) -> str:
    words = [run.kind, *(["(auto)"] if run.auto else [])]
    if run.kind == "compact":
        words.append("from SQLite" if run.vectors == "items" else "from memory")
    return f"{run.size:,}, {' '.join(words)}"
