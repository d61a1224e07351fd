"""A sample of the answers of a server under load."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

OK = 200
REFUSED = (429, 503)  # mosec says 429 where its queue is full, the others 503


@dataclass(frozen=True)
class Kept:
    """One answer that was kept to be compared."""

    request: int
    body: bytes


@dataclass(frozen=True)
class Sample:
    """One run of load. Latencies are in seconds, from when a request should have been sent."""

    seconds: float
    sent: int
    in_time: int  # good answers before the time was up
    good_s: NDArray[np.float64]
    refused_s: NDArray[np.float64]
    failures: Mapping[str, int]  # everything that was no good answer, by its reason
    kept: tuple[Kept, ...]
    generator_cpu_s: float

    @property
    def rate_per_s(self) -> float:
        """Good answers a second."""
        return self.in_time / self.seconds


@dataclass
class Tally:
    """Counts while a run goes on."""

    keep_every: int = 61  # a prime, so that it does not beat with the number of requests
    keep_at_most: int = 64
    sent: int = 0
    in_time: int = 0
    good_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    kept: list[Kept] = field(default_factory=list)

    def keeps(self) -> bool:
        """Return whether the answer that was counted last should be kept."""
        return len(self.good_s) % self.keep_every == 1 and len(self.kept) < self.keep_at_most

    def fail(self, reason: str, times: int = 1) -> None:
        """Count what is no good answer."""
        if times:
            self.failures[reason] += times

    def refuse(self, status: int, latency_s: float) -> None:
        """Count an answer that is no 200."""
        self.fail(str(status))
        if status in REFUSED:
            self.refused_s.append(latency_s)

    def sample(self, seconds: float, generator_cpu_s: float) -> Sample:
        """Return the sample."""
        return Sample(
            seconds=seconds,
            sent=self.sent,
            in_time=self.in_time,
            good_s=np.asarray(self.good_s),
            refused_s=np.asarray(self.refused_s),
            failures=dict(self.failures),
            kept=tuple(self.kept),
            generator_cpu_s=generator_cpu_s,
        )
