"""Two ways of doing one thing, timed in alternation: a disturbance meets both."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TypeVar

import numpy as np

from benchmarks.measured import Percentiles, percentiles

_LEAST_ROUNDS = 11  # medians of 3 at 1 M, hnsw, lay anywhere from 13 % under to 17 % over
_LEAST_SINGLES = 100
_PATIENCE = 12  # times the seconds, after which that number is given up
_FEWEST_ROUNDS = 3  # however long they take: one of exact at 1 M takes 22 seconds

Input = TypeVar("Input")


@dataclass
class Pair:
    """Seconds of both ways, round by round."""

    ours: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)

    @property
    def overhead(self) -> float:
        """By how much ours takes longer, as a share of raw: the median over rounds."""
        ratios = (one / other for one, other in zip(self.ours, self.raw, strict=True))
        return median(ratios) - 1


def by_turns(
    ours: Callable[[Input], object],
    raw: Callable[[Input], object],
    inputs: Sequence[Input],
    seconds: float,
    least: int = _LEAST_ROUNDS,
) -> Pair:
    """Both ways for each input, either first in turn; ends early when `seconds` have passed."""
    pair = Pair()
    ways = ((pair.raw, raw), (pair.ours, ours))
    start = time.perf_counter()
    for number, one in enumerate(inputs):
        taken = time.perf_counter() - start
        limit = seconds if number >= least else _PATIENCE * seconds
        if number >= _FEWEST_ROUNDS and taken > limit:
            break
        for timings, way in reversed(ways) if number % 2 else ways:
            timings.append(timed(partial(way, one)))
    return pair


def singles(
    call: Callable[[Input], object], inputs: Sequence[Input], seconds: float
) -> Percentiles:
    """Of calls one after another, until `seconds` have passed."""
    until = time.perf_counter() + seconds
    return latency(list(_timings(call, inputs, until)))


def _timings(
    call: Callable[[Input], object], inputs: Sequence[Input], until: float
) -> Iterator[float]:
    for number, one in enumerate(inputs):
        if number >= _LEAST_SINGLES and time.perf_counter() > until:
            return
        yield timed(partial(call, one))


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def latency(seconds: Sequence[float]) -> Percentiles:
    """The percentiles of at least one."""
    found = percentiles(np.asarray(seconds))
    if found is None:
        raise ValueError("nothing was timed")
    return found
