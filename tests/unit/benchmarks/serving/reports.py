"""A report as a run would leave it, with numbers that a test can foresee."""

from datetime import UTC, datetime
from typing import Any

from benchmarks.measured import Machine, Percentiles
from benchmarks.serving.results import (
    Answers,
    Check,
    ClosedRun,
    DecodeCost,
    Floor,
    Memory,
    OpenRun,
    OverloadRun,
    Report,
    ServerFacts,
    Settings,
    StartRun,
    WorkloadFacts,
)

RIGHT = Answers(compared=32, min_cosine=1.0, problem=None)
WRONG = Answers(compared=32, min_cosine=0.2, problem="a cosine of 0.2")
MEMORY = Memory(pss_mib=100.0, rss_mib=120.0, processes=2)


def latency(p50_ms: float) -> Percentiles:
    return Percentiles(n=99, p50_ms=p50_ms, p90_ms=p50_ms + 1, p99_ms=2 * p50_ms, max_ms=3 * p50_ms)


def closed(server: str, number: int, connections: int, rate: float, **changed: Any) -> ClosedRun:
    fields = {
        "server": server,
        "workload": "small",
        "round": number,
        "connections": connections,
        "sent": 1000,
        "rate_per_s": rate,
        "latency": latency(1000 / rate),
        "failures": {},
        "server_cpu_ms": 500 / rate,
        "generator_cpu_us": 20.0,
        "memory": MEMORY,
        "answers": RIGHT,
    }
    return ClosedRun.model_validate({**fields, **changed})


def report(**changed: Any) -> Report:
    """Servers `fast` and `slow` in three rounds, `wrong` with wrong answers."""
    rates = {"fast": (900.0, 1000.0, 1200.0), "slow": (500.0, 100.0, 400.0)}
    runs = [
        closed(server, number, connections, rate * connections)
        for server in rates
        for number, rate in enumerate(rates[server], start=1)
        for connections in (1, 64)
    ]
    cells = [
        {"server": server, "workload": "small", "round": number}
        for server in rates
        for number in (1, 2, 3)
    ]
    fields = {
        "command": "python -m benchmarks.serving",
        "date": datetime(2026, 11, 23, tzinfo=UTC),
        "commit": "0123456789abcdef",
        "complete": True,
        "machine": Machine(
            processor="EPYC",
            cores=2,
            flags=("avx2",),
            memory_mib=1024,
            kernel="6.1",
            load_average=0.1,
        ),
        "versions": {"python": "3.11.7"},
        "settings": Settings(
            seconds=3,
            rounds=3,
            loops=("closed", "open", "overload"),
            connections=(1, 64),
            limit_ms=50,
            probes=6,
            generator_cpus=(),
            server_cpus=(),
        ),
        "workloads": (
            WorkloadFacts(
                name="small", title="a JPEG", images=1, requests=500, mean_image_bytes=900
            ),
        ),
        "servers": [
            ServerFacts(name=name, title=name.title(), command=f"run {name}", tuning="none")
            for name in ("fast", "slow", "wrong")
        ],
        "floors": (
            Floor(
                workload="small",
                decode=(DecodeCost(way="Pillow", us=70.0, cosine=1.0),),
                inference_us={1: 178.0, 16: 137.0},
                json_us=1.4,
                http_us=30.0,
                sum_us=25.0,
                allowed_per_s=80_000.0,
            ),
        ),
        "starts": [
            StartRun(server="fast", round=number, ready_s=ready, memory=MEMORY)
            for number, ready in enumerate((1.0, 9.0, 2.0), start=1)
        ],
        "checks": [
            *(Check(**cell, answers=RIGHT) for cell in cells),
            Check(server="wrong", workload="small", round=1, answers=WRONG),
        ],
        "closed": runs,
        "open": [OpenRun(**cell, rate_per_s=4321, probes=()) for cell in cells],
        "overload": [
            OverloadRun(
                **cell,
                best_per_s=1000,
                offered_per_s=2000,
                goodput_per_s=950,
                refused=0.5,
                failures={"503": 10},
                accepted=latency(20),
                refusals=latency(2),
                generator_cores=0.25,
                before=MEMORY,
                after=MEMORY,
            )
            for cell in cells
        ],
    }
    return Report.model_validate({**fields, **changed})
