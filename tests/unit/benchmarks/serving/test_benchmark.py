"""The benchmark itself, short: this service beside a server that answers a constant."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from threading import Timer

import pytest
from rich.console import Console

from benchmarks.serving import benchmark, table
from benchmarks.serving.benchmark import Benchmark
from benchmarks.serving.peers import SERVERS, Server, floor_server
from benchmarks.serving.results import Report, Settings
from benchmarks.serving.running import Running, ServerFailed, running
from benchmarks.serving.wire import post, raw
from benchmarks.serving.workloads import Workload, one_small

OURS = next(server for server in SERVERS if server.name == "ours")
WRONG = floor_server(1)
ABSENT = Server("absent", "Absent", "none", module="benchmarks.no_such_module")
STUBBORN = Server("stubborn", "Stubborn", "none", module=f"{__package__}.stubborn")
DEAF = replace(STUBBORN, name="deaf", arguments=("{port}", "deaf"))
SETTINGS = Settings(
    seconds=0.2,
    rounds=1,
    loops=("closed", "open", "overload"),
    connections=(1, 3),
    limit_ms=1000,
    probes=2,
    generator_cpus=(),
    server_cpus=(),
)


@pytest.fixture(scope="module")
def few() -> Workload:
    small = one_small()
    return Workload("small", "one", small.images[:8], tuple((index,) for index in range(8)))


def measure(
    servers: Sequence[Server], workload: Workload, out: Path, settings: Settings = SETTINGS
) -> tuple[bool, Report]:
    bench = Benchmark(settings, servers, [workload], "python -m benchmarks.serving", out)
    complete = bench.run(Console(file=StringIO()))
    return complete, Report.model_validate_json(out.read_text())


@pytest.fixture(scope="module")
def found(few: Workload, tmp_path_factory: pytest.TempPathFactory) -> Report:
    out = tmp_path_factory.mktemp("results") / "serving.json"
    complete, report = measure([OURS, WRONG, ABSENT], few, out)
    assert complete
    assert report.complete
    return report


@pytest.mark.bench
def test_every_load_of_a_right_server_is_in_the_report(found: Report) -> None:
    assert [run.connections for run in found.closed if run.server == "ours"] == [1, 3]
    for run in found.closed:
        assert run.failures == {}
        assert run.answers.compared > 0
        assert run.answers.problem is None
        assert run.latency is not None
        assert run.sent == run.latency.n
        assert run.server_cpu_ms > 0
        assert run.generator_cpu_us > 0
    assert [len(run.probes) for run in found.open] == [2]
    assert [run.server for run in found.overload] == ["ours"]
    assert found.overload[0].offered_per_s == pytest.approx(2 * found.overload[0].best_per_s)


@pytest.mark.bench
def test_a_server_that_answers_wrongly_is_reported_and_not_timed(found: Report) -> None:
    problems = {check.server: check.answers.problem for check in found.checks}
    assert problems["ours"] is None
    assert "cosine" in str(problems["bare"])
    assert {run.server for run in (*found.closed, *found.open, *found.overload)} == {"ours"}


@pytest.mark.bench
def test_a_server_that_does_not_start_is_reported_with_its_log(found: Report) -> None:
    problems = {check.server: check.answers.problem for check in found.checks}
    assert "no_such_module" in str(problems["absent"])
    assert {run.server for run in found.starts} == {"ours", "bare"}


@pytest.mark.bench
def test_floors_add_up(found: Report) -> None:
    (floor,) = found.floors
    right = [cost.us for cost in floor.decode if cost.cosine >= 0.999]
    parts = min(right) + min(floor.inference_us.values()) + floor.json_us + floor.http_us
    assert floor.sum_us == pytest.approx(parts, abs=0.1)
    assert floor.allowed_per_s == pytest.approx(found.machine.cores * 1e6 / parts, rel=1e-3)


@pytest.mark.bench
def test_it_can_be_shown(found: Report) -> None:
    assert "| LossAtlas |" in table.everything(found)


def test_an_interrupt_keeps_what_is_complete(
    few: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "take", lambda *_: signal.raise_signal(signal.SIGINT))
    complete, report = measure([OURS], few, tmp_path / "new" / "serving.json")
    assert not complete
    assert not report.complete
    assert report.closed == ()
    assert len(report.floors) == 1


def test_what_a_server_uses_is_known_while_it_runs(few: Workload) -> None:
    with running(WRONG, few.images[0]) as live:
        before = live.cpu_s()
        memory = live.memory()
        assert memory.processes >= 1
        assert 10 < memory.pss_mib <= memory.rss_mib < 500
        assert 0 < live.ready_s < 60
        assert live.cpu_s() >= before > 0


@pytest.mark.parametrize("server", [WRONG, STUBBORN], ids=lambda server: server.name)
def test_a_server_is_gone_after_its_block_with_all_its_processes(
    server: Server, few: Workload
) -> None:
    with running(server, few.images[0]) as live:
        assert live.memory().processes >= 1
    wait_until_gone(live)


def wait_until_gone(live: Running) -> None:
    give_up = time.monotonic() + 10
    while live.memory().processes and time.monotonic() < give_up:
        time.sleep(0.01)  # the kernel is at it
    assert live.memory().processes == 0


def test_whoever_loses_patience_leaves_no_server_behind(few: Workload) -> None:
    interrupt = Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt), running(DEAF, few.images[0]) as live:
        interrupt.start()  # it comes while the server is asked to end, which it does not hear
    wait_until_gone(live)


def test_a_server_that_does_not_start_says_why(few: Workload) -> None:
    with pytest.raises(ServerFailed, match="no_such_module"), running(ABSENT, few.images[0]):
        pass


def test_each_server_is_described_and_asked_in_its_own_form() -> None:
    assert len({server.name for server in SERVERS}) == len(SERVERS)
    for server in SERVERS:
        assert server.tuning
        assert server.command(1234)[-1]
        assert "1234" in server.command(1234)
        assert "PORT" in server.shown()
        assert server.request([b"image"]) == post(raw(server.one[0].format(version=1), [b"image"]))
        assert server.request([b"first", b"second"]).count(b"first") == 1
