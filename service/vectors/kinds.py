"""The kinds of indexes, and their memory."""

from dataclasses import dataclass, field
from math import sqrt
from typing import Literal

from models.machine import processors
from models.manifest import Metric

Kind = Literal["auto", "exact", "hnsw", "compact"]
BuiltKind = Literal["hnsw", "compact"]
KindInUse = Literal["exact", "hnsw", "compact"]

# Measured at 1 M x 64, in 1,000 classes that spread as the published galleries do, on one busy core
# of an AMD EPYC: built in 193 s of processor time; recall@10 and a query's time by ef, over 1,000
# queries: 64: 0.976, 0.15 ms; 96: 0.984, 0.24 ms; 128: 0.987, 0.25 ms; 192: 0.995, 0.33 ms. The
# script was not kept; `python -m benchmarks.index` measures what is chosen here.
HNSW_LINKS = 16  # M: twice as many at the lowest level
HNSW_EF_CONSTRUCTION = 100
HNSW_EF_SEARCH = 192
HNSW_EF_PER_HIT = 1.5  # so that the last of many hits are found as well as the first

IVF_PROBES = 32
IVF_LISTS_PER_ROOT = 4  # lists = 4 sqrt(n)
IVF_SAMPLES_PER_LIST = 64
PQ_BITS = 8
PQ_SAMPLES_PER_CENTRE = 64
PQ_ROUNDS = 10
RERANKED_PER_HIT = 4
LEAST_RERANKED = 32


def build_threads() -> int:
    """All processors but one, which is left to requests; at least one."""
    return max(1, processors() - 1)


@dataclass(frozen=True)
class IndexSpec:
    """The definition of an index. Only the first three change what a saved one means."""

    dimension: int
    metric: Metric
    kind: Kind = "auto"
    memory_limit_bytes: int = 4 << 30  # from which on `auto` is compact
    exact_below: int = 50_000  # rows up to which `auto` is exact
    buffer_rows: int = 20_000  # rows that wait, searched exactly, before anything is built of them
    threads: int = field(default_factory=build_threads)  # of a build


def choose(spec: IndexSpec, n: int) -> KindInUse:
    """The kind for n rows: what was asked for, or by size where that is `auto`."""
    if spec.kind != "auto":
        return spec.kind
    if n < spec.exact_below:
        return "exact"
    return "hnsw" if hnsw_bytes(spec.dimension, n) <= spec.memory_limit_bytes else "compact"


def hnsw_bytes(dimension: int, n: int) -> int:
    """Return the bytes of n rows: vector, 2 M links and a few above them, row, level, offset."""
    return n * (4 * dimension + 4 * (2 * HNSW_LINKS + 2) + 8 + 4 + 8)


def lists(n: int) -> int:
    """Return the number of lists that n rows are divided into."""
    return max(1, round(IVF_LISTS_PER_ROOT * sqrt(n)))


def codes(dimension: int) -> int:
    """Bytes that a vector becomes: one for every two numbers, where they can be paired."""
    return dimension // 2 if dimension % 2 == 0 else dimension
