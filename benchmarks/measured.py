"""Facts that every benchmark writes: the machine, and percentiles of timings."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.manifest import Frozen

Milliseconds = float


class Percentiles(Frozen):
    """Of n latencies."""

    n: int = Field(ge=1)
    p50_ms: Milliseconds
    p90_ms: Milliseconds
    p99_ms: Milliseconds
    max_ms: Milliseconds


class Machine(Frozen):
    """The machine that it ran on."""

    processor: str
    cores: int = Field(ge=1, description="that this process may run on")
    flags: tuple[str, ...] = Field(description="of avx2, avx512f, avx512_bf16, amx_bf16")
    memory_mib: int
    kernel: str
    load_average: float = Field(description="over one minute, before the start")


def percentiles(latencies_s: NDArray[np.float64]) -> Percentiles | None:
    """In milliseconds; none of none. The p-th is the least that p % do not exceed."""
    if not len(latencies_s):
        return None
    points = np.percentile(latencies_s, (50, 90, 99, 100), method="inverted_cdf")
    p50, p90, p99, most = (round(1000 * float(point), 3) for point in points)
    return Percentiles(n=len(latencies_s), p50_ms=p50, p90_ms=p90, p99_ms=p99, max_ms=most)
