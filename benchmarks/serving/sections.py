"""The tables of a report, one function each."""

from collections.abc import Callable

from benchmarks.markdown import NONE, table, text
from benchmarks.measured import Percentiles
from benchmarks.serving.medians import Medians
from benchmarks.serving.results import Floor, OverloadRun, Report

_COMPARED_AT = 64  # connections at which shares and processor time are compared
_FAILED = "†"  # some requests got no good answer


def compared_at(report: Report) -> int:
    """Connections at which servers are compared where it must be one number."""
    measured = report.settings.connections
    return _COMPARED_AT if _COMPARED_AT in measured else max(measured)


def throughput(found: Medians) -> str:
    """Requests a second by connections, best in bold; processor time, memory, start."""
    report = found.report
    connections = " / ".join(map(str, report.settings.connections))
    head = ["Requests a second", *(f"{one.title}: {connections}" for one in report.workloads)]
    head += ["CPU a request", "Memory", "Start"]
    rows = [
        [
            server.title,
            *(_rates(found, server.name, one.name) for one in report.workloads),
            _cpu(found, server.name),
            text(found.start(server.name, lambda run: run.memory.pss_mib), "{:.0f} MiB"),
            text(found.start(server.name, lambda run: run.ready_s), "{:.1f} s"),
        ]
        for server in report.servers
    ]
    allowed = [text(_allowed(report, one.name), "{:.0f}") for one in report.workloads]
    return table(head, [*rows, ["*what the parts allow*", *allowed, NONE, NONE, NONE]])


def shares(found: Medians) -> str:
    """Of what the parts allow."""

    def share(server: str, workload: str) -> str:
        allowed = _allowed(found.report, workload)
        at = compared_at(found.report)
        rate = found.closed(server, workload, at, lambda run: run.rate_per_s)
        return NONE if rate is None or allowed is None else f"{rate / allowed:.2f}"

    return _matrix(found, share)


def latencies(found: Medians) -> str:
    """p50 / p99 at each number of connections."""

    def pair(server: str, workload: str, connections: int) -> str:
        p50 = found.closed(server, workload, connections, lambda run: _p50_ms(run.latency))
        p99 = found.closed(server, workload, connections, lambda run: _p99_ms(run.latency))
        return f"{text(p50, '{:.1f}')} / {text(p99, '{:.1f}')}"

    def at_each(server: str, workload: str) -> str:
        return "; ".join(pair(server, workload, n) for n in found.report.settings.connections)

    return _matrix(found, at_each)


def open_loop(found: Medians) -> str:
    """The highest rates within the limit."""

    def rate(server: str, workload: str) -> str:
        return text(found.open(server, workload, lambda run: run.rate_per_s), "{:.0f}")

    return _matrix(found, rate)


def overload(found: Medians) -> str:
    """Describe what is left of the best rate when more is offered."""
    values: dict[str, tuple[Callable[[OverloadRun], float | None], str]] = {
        "Offered/s": (lambda run: run.offered_per_s, "{:.0f}"),
        "Goodput/s": (lambda run: run.goodput_per_s, "{:.0f}"),
        "Of its best": (lambda run: _ratio(run.goodput_per_s, run.best_per_s), "{:.0%}"),
        "Refused": (lambda run: run.refused, "{:.0%}"),
        "p99 accepted": (lambda run: _p99_ms(run.accepted), "{:.0f} ms"),
        "p99 refused": (lambda run: _p99_ms(run.refusals), "{:.0f} ms"),
        "Generator, cores": (lambda run: run.generator_cores, "{:.2f}"),
        "Memory before": (lambda run: run.before.pss_mib, "{:.0f} MiB"),
        "After": (lambda run: run.after.pss_mib, "{:.0f} MiB"),
    }
    rows = [
        [
            f"{server.title}, {one.title}",
            *(text(found.overload(server.name, one.name, get), f) for get, f in values.values()),
        ]
        for one in found.report.workloads
        for server in found.report.servers
    ]
    return table(["Server, workload", *values], rows)


def floors(report: Report) -> str:
    """Describe the cost of the parts by themselves."""
    costs = [_costs(floor) for floor in report.floors]
    names = dict.fromkeys(name for cost in costs for name in cost)
    titles = {one.name: one.title for one in report.workloads}
    head = ["Part", *(titles[floor.workload] for floor in report.floors)]
    return table(head, [[name, *(cost.get(name, NONE) for cost in costs)] for name in names])


def tuning(report: Report) -> str:
    """Describe how each server was started and tuned."""
    return "\n".join(
        f"- **{one.title}** (`{one.command}`): {one.tuning}." for one in report.servers
    )


def _matrix(found: Medians, cell: Callable[[str, str], str]) -> str:
    """A row for each server, a column for each workload."""
    head = ["Server", *(one.title for one in found.report.workloads)]
    rows = [
        [server.title, *(cell(server.name, one.name) for one in found.report.workloads)]
        for server in found.report.servers
    ]
    return table(head, rows)


def _rates(found: Medians, server: str, workload: str) -> str:
    if found.problem(server, workload) is not None:
        return "wrong answers"
    cells = (_rate(found, server, workload, n) for n in found.report.settings.connections)
    return " / ".join(cells)


def _rate(found: Medians, server: str, workload: str, connections: int) -> str:
    rates = {
        one.name: found.closed(one.name, workload, connections, lambda run: run.rate_per_s) or 0
        for one in found.report.servers
    }
    failed = found.closed(server, workload, connections, lambda run: sum(run.failures.values()))
    if failed is None:
        return NONE
    shown = f"{rates[server]:.0f}" + (_FAILED if failed else "")
    return f"**{shown}**" if rates[server] == max(rates.values()) else shown


def _cpu(found: Medians, server: str) -> str:
    first = found.report.workloads[0].name
    at = compared_at(found.report)
    return text(found.closed(server, first, at, lambda run: run.server_cpu_ms), "{:.2f} ms")


def _allowed(report: Report, workload: str) -> float | None:
    return next((one.allowed_per_s for one in report.floors if one.workload == workload), None)


def _costs(floor: Floor) -> dict[str, str]:
    costs = {
        f"decode: {one.way} (cosine)": f"{one.us:.1f} ({one.cosine:.4f})" for one in floor.decode
    }
    for size, us in floor.inference_us.items():
        costs[f"onnxruntime: an image in a batch of {size}"] = f"{us:.1f}"
    costs["orjson: an embedding"] = f"{floor.json_us:.1f}"
    costs["bare uvicorn: a request"] = f"{floor.http_us:.1f}"
    costs["*sum of the cheapest that are right, for a request*"] = f"{floor.sum_us:.1f}"
    return costs


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _p50_ms(latency: Percentiles | None) -> float | None:
    return None if latency is None else latency.p50_ms


def _p99_ms(latency: Percentiles | None) -> float | None:
    return None if latency is None else latency.p99_ms
