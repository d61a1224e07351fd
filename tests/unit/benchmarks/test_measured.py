"""Percentiles."""

import numpy as np

from benchmarks.measured import percentiles


def test_percentiles_are_measured_latencies() -> None:
    latencies = np.random.default_rng(0).permutation(np.arange(1, 201)) / 1000
    found = percentiles(latencies)
    assert found is not None
    values = (found.n, found.p50_ms, found.p90_ms, found.p99_ms, found.max_ms)
    assert values == (200, 100.0, 180.0, 198.0, 200.0)


def test_one_slow_answer_of_a_hundred_is_not_yet_the_p99() -> None:
    fast = np.full(99, 0.001)
    one, two = percentiles(np.append(fast, 1.0)), percentiles(np.append(fast[1:], [1.0, 1.0]))
    assert one is not None
    assert two is not None
    assert (one.p99_ms, one.max_ms) == (1.0, 1000.0)
    assert two.p99_ms == 1000.0


def test_of_nothing_there_are_none() -> None:
    assert percentiles(np.empty(0)) is None
