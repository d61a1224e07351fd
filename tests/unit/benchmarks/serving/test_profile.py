"""The profile of the service."""

from benchmarks.serving.profile import listed, profile
from benchmarks.serving.workloads import Workload, one_small


def test_the_table_adds_up() -> None:
    spent = {"MainThread: a.b": 6_000_000, "pool: c.d": 3_000_000, "native": 1_000_000}
    lines = listed(spent, answered=1000, rows=2).splitlines()
    assert lines[2:] == [
        "| MainThread: a.b | 6.0 | 60.0% |",
        "| pool: c.d | 3.0 | 30.0% |",
        "| *all others* | 1.0 | 10.0% |",
        "| *together* | 10.0 | 100.0% |",
    ]


def test_the_service_tells_where_its_time_goes() -> None:
    small = one_small()
    few = Workload("small", "one", small.images[:8], tuple((index,) for index in range(8)))
    answered, spent = profile(few, connections=4, seconds=0.5)
    assert answered > 0
    assert any("InferenceSession" in place or "Session.run" in place for place in spent)
    assert all(ns >= 0 for ns in spent.values())
    assert sum(spent.values()) > 10_000_000
