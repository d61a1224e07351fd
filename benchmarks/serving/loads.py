"""The loads of one workload on one running server: closed loop, open loop, overload."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measured import percentiles
from benchmarks.serving.correctness import Reference
from benchmarks.serving.driver import Target
from benchmarks.serving.load import arrivals, closed_loop, open_loop
from benchmarks.serving.peers import Server
from benchmarks.serving.results import (
    Check,
    ClosedRun,
    OpenRun,
    OverloadRun,
    Probe,
    Settings,
    StartRun,
)
from benchmarks.serving.running import Running
from benchmarks.serving.sample import Sample
from benchmarks.serving.search import highest

OVERLOAD = 2.0  # times what the server did in the closed loop
_OVERLOAD_LENGTH = 2  # times as long as other runs, so that queues fill
_WARM_UP_S = 0.5
_SETTLE_S = 0.2
_HEADROOM = 1.2  # the open loop is searched up to this times the closed loop's rate
_MOST_CONNECTIONS = 6000  # more requests than any of the servers lets wait


@dataclass
class Found:
    """The measurements so far."""

    starts: list[StartRun] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    closed: list[ClosedRun] = field(default_factory=list)
    open: list[OpenRun] = field(default_factory=list)
    overload: list[OverloadRun] = field(default_factory=list)


def steps(settings: Settings) -> int:
    """Count the runs of load in a turn for each workload."""
    count = {"closed": len(settings.connections), "open": settings.probes, "overload": 1}
    return sum(count[loop] for loop in {"closed", *settings.loops})


@dataclass(frozen=True)
class Turn:
    """One server in one round; `found` takes what is measured, `advance` is called for each run."""

    server: Server
    round: int
    settings: Settings
    found: Found
    advance: Callable[[str], None]

    def cell(self, workload: str) -> dict[str, Any]:
        """Start a result of this turn."""
        return {"server": self.server.name, "workload": workload, "round": self.round}


@dataclass(frozen=True)
class Load:
    """One workload on one running server."""

    turn: Turn
    live: Running
    reference: Reference
    target: Target

    def closed(self) -> float:
        """A run at each number of connections; the best rate."""
        runs = [self._closed(connections) for connections in self.turn.settings.connections]
        self.turn.found.closed.extend(runs)
        return max(run.rate_per_s for run in runs)

    def _closed(self, connections: int) -> ClosedRun:
        self._say(f"{connections} connections")
        closed_loop(self.target, connections, _WARM_UP_S)
        cpu_s = self.live.cpu_s()
        sample = closed_loop(self.target, connections, self.turn.settings.seconds)
        cpu_s = self.live.cpu_s() - cpu_s
        return ClosedRun(
            **self.turn.cell(self.reference.workload.name),
            connections=connections,
            sent=sample.sent,
            rate_per_s=round(sample.rate_per_s, 1),
            latency=percentiles(sample.good_s),
            failures=dict(sample.failures),
            server_cpu_ms=round(1000 * cpu_s / max(1, len(sample.good_s)), 4),
            generator_cpu_us=round(1e6 * sample.generator_cpu_s / max(1, sample.sent), 2),
            memory=self.live.memory(),
            answers=self.reference.judge(sample.kept),
        )

    def open(self, best: float) -> None:
        """Search the highest rate whose p99 is within the limit."""
        probes: list[Probe] = []

        def passes(rate: float) -> bool:
            probes.append(self._probe(rate))
            return probes[-1].within_limit

        rate = highest(passes, _HEADROOM * best, self.turn.settings.probes)
        run = OpenRun(
            **self.turn.cell(self.reference.workload.name),
            rate_per_s=round(rate, 1),
            probes=tuple(probes),
        )
        self.turn.found.open.append(run)

    def _probe(self, rate: float) -> Probe:
        self._say(f"{rate:.0f} requests/s")
        sample = self._arrive(rate, self.turn.settings.seconds)
        latency = percentiles(sample.good_s)
        within = latency is not None and latency.p99_ms <= self.turn.settings.limit_ms
        return Probe(
            rate_per_s=round(rate, 1),
            latency=latency,
            failures=dict(sample.failures),
            within_limit=within and not sample.failures,
        )

    def overload(self, best: float) -> None:
        """Offer more than it can do."""
        offered = OVERLOAD * best
        self._say(f"overload, {offered:.0f} requests/s")
        before = self.live.memory()
        sample = self._arrive(offered, _OVERLOAD_LENGTH * self.turn.settings.seconds)
        self.turn.found.overload.append(
            OverloadRun(
                **self.turn.cell(self.reference.workload.name),
                best_per_s=best,
                offered_per_s=round(offered, 1),
                goodput_per_s=round(sample.rate_per_s, 1),
                refused=round(len(sample.refused_s) / max(1, sample.sent), 4),
                failures=dict(sample.failures),
                accepted=percentiles(sample.good_s),
                refusals=percentiles(sample.refused_s),
                generator_cores=round(sample.generator_cpu_s / sample.seconds, 3),
                before=before,
                after=self.live.memory(),
            )
        )

    def _arrive(self, rate: float, seconds: float) -> Sample:
        closed_loop(self.target, 1, _SETTLE_S)  # what the last run left over is done with
        times_s = arrivals(rate, seconds, seed=self.turn.round)
        return open_loop(self.target, times_s, seconds, _MOST_CONNECTIONS)

    def _say(self, what: str) -> None:
        self.turn.advance(f"{self.turn.server.name}, {self.reference.workload.name}: {what}")
