"""The processes of the service: how they end, and who takes the place of one that does not live."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from models.bundle import MODEL
from models.store import Store
from tests.contract.test_service_start import environment, workers_of
from tests.support.bundles import Recipe, picture, publish
from tests.support.serving import PATIENCE_S, wait_loaded

ROOT = Path(__file__).parents[2]
PNG: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}
STALLED = (
    b"POST /embed HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: image/png\r\nContent-Length: 99\r\n\r\n"
)

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")


@dataclass
class Service:
    """A running service and what it says."""

    process: subprocess.Popen[str]
    address: str
    registry: Path
    said: list[str] = field(default_factory=list)

    @property
    def workers(self) -> set[int]:
        return set(workers_of(self.registry))

    def answers(self, n: int = 30) -> set[int]:
        """The statuses of many answers, each over a connection of its own."""
        post = f"{self.address}/embed"
        return {httpx.post(post, timeout=PATIENCE_S, **PNG).status_code for _ in range(n)}

    def stalled(self, sent: bytes = STALLED) -> socket.socket:
        """A connection on which a client has begun a request and goes no further."""
        host, port = self.address.removeprefix("http://").split(":")
        client = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
        client.sendall(sent)
        return client

    def wait_for(self, said: str) -> None:
        until(lambda: any(said in line for line in self.said))


def until(true: Any) -> None:
    give_up = monotonic() + PATIENCE_S
    while not true():
        assert monotonic() < give_up
        sleep(0.05)


def run_script(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )


@contextmanager
def service(
    registry: Path, *flags: str, command: Sequence[str] = ("-m", "service")
) -> Iterator[Service]:
    process = subprocess.Popen(
        [
            *(sys.executable, *command, "--port=0", "--device=cpu"),
            *(f"--registry={registry}", f"--data-dir={registry.parent / 'var'}", *flags),
        ],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert "http://" in first, first
    made = Service(process, "http://" + first.partition("http://")[2].split()[0], registry, [first])
    reader = Thread(target=lambda: made.said.extend(process.stderr or ()))
    reader.start()
    try:
        with httpx.Client(base_url=made.address, timeout=PATIENCE_S) as client:
            wait_loaded(client)
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            for worker in made.workers:
                os.kill(worker, signal.SIGKILL)
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    publish(tmp_path / "registry", "arcface")
    return tmp_path / "registry"


@needs_proc
def test_a_worker_is_not_replaced_by_one_that_serves_less(registry: Path) -> None:
    """Damage on disk leaves the others as they are: one answer, whichever worker is met."""
    graph = Store(registry).load("arcface").path / MODEL
    good = graph.read_bytes()
    with service(registry, "--workers=2") as running:
        graph.write_bytes(good[:-1] + b"?")
        (gone, stays) = sorted(running.workers)
        os.kill(gone, signal.SIGKILL)
        running.wait_for("a worker is not replaced")
        assert running.answers() == {200}
        assert running.workers == {stays}
        graph.write_bytes(good)
        until(lambda: len(running.workers) == 2)
        assert running.answers() == {200}
        os.kill(stays, signal.SIGKILL)
        until(lambda: len(running.workers - {stays}) == 2)
        assert running.answers() == {200}


@needs_proc
def test_an_older_version_that_one_worker_has_is_had_by_all(registry: Path) -> None:
    """Or damage to it would be found by some of them only."""
    graph = Store(registry).load("arcface").path / MODEL
    publish(registry, "arcface", Recipe(seed=5))
    with service(registry, "--workers=2") as running:
        asked = f"{running.address}/embed?version=1"
        assert httpx.post(asked, timeout=PATIENCE_S, **PNG).status_code == 200
        until(lambda: states(running, "arcface", 1) == {"ready"})
        graph.write_bytes(b"?")
        statuses = {httpx.post(asked, timeout=PATIENCE_S, **PNG).status_code for _ in range(30)}
        assert statuses == {200}


def states(running: Service, name: str, version: int) -> set[str]:
    """Return the workers' states of a version, each asked over a connection of its own."""
    address = f"{running.address}/models/{name}?version={version}"
    return {httpx.get(address, timeout=PATIENCE_S).json()["state"] for _ in range(20)}


@needs_proc
def test_where_no_worker_is_left_damage_is_reported(registry: Path) -> None:
    graph = Store(registry).load("arcface").path / MODEL
    with service(registry, "--workers=2") as running:
        before = running.workers
        graph.write_bytes(b"?")
        os.kill(running.process.pid, signal.SIGSTOP)  # both are dead when it looks
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        os.kill(running.process.pid, signal.SIGCONT)
        until(lambda: len(running.workers - before) == 2)
        assert running.answers() == {409}


@needs_proc
def test_a_worker_that_hangs_is_replaced(registry: Path) -> None:
    with service(registry, "--workers=2", "--worker-timeout-s=2") as running:
        hung, other = sorted(running.workers)
        os.kill(hung, signal.SIGSTOP)
        running.wait_for("worker hangs")
        until(lambda: len(running.workers - {hung}) == 2)
        assert other in running.workers
        assert running.answers() == {200}


@needs_proc
def test_a_machine_that_slept_has_no_hung_workers(registry: Path) -> None:
    with service(registry, "--workers=2", "--worker-timeout-s=2") as running:
        before = running.workers
        everyone = [running.process.pid, *before]
        for process in everyone:
            os.kill(process, signal.SIGSTOP)
        sleep(6)  # longer than the timeout and the supervisor's slack
        for process in everyone:
            os.kill(process, signal.SIGCONT)
        sleep(2)
        assert running.answers() == {200}
        assert running.workers == before
        assert not [line for line in running.said if "hangs" in line or "died" in line]


def test_a_loop_that_stands_still_ends_its_process_and_shows_where() -> None:
    script = (
        "import asyncio, time\n"
        "from service.processes.heartbeat import Heartbeat\n"
        "def stand_still(): time.sleep(600)\n"
        "async def main():\n"
        "    beating = asyncio.create_task(Heartbeat(2.0).beat())\n"
        "    await asyncio.sleep(1)\n"
        "    stand_still()\n"
        "asyncio.run(main())\n"
    )
    ended = run_script(script)
    assert ended.returncode == 70
    assert "in stand_still" in ended.stderr


VARIANT = pytest.mark.variant


@pytest.mark.parametrize(
    ("sent", "workers"),
    [
        pytest.param(STALLED, 1, marks=VARIANT),
        (STALLED, 2),
        (STALLED[:30], 1),
        pytest.param(STALLED[:30], 2, marks=VARIANT),
    ],
    ids=["body-1", "body-2", "head-1", "head-2"],
)
def test_a_stalled_client_does_not_hold_the_end_up(
    registry: Path, sent: bytes, workers: int
) -> None:
    with service(registry, f"--workers={workers}", "--stop-s=2") as running:
        with contextlib.ExitStack() as clients:
            for _ in range(8):
                clients.enter_context(running.stalled(sent))
            running.process.terminate()
            assert running.process.wait(20) == 0  # by its own deadline it would be 30 s and more
        assert running.workers == set()


@pytest.mark.parametrize("workers", [pytest.param(1, marks=VARIANT), 2])
def test_a_request_in_work_is_answered_before_the_end(registry: Path, workers: int) -> None:
    with service(registry, f"--workers={workers}", "--stop-s=60") as running:
        body = picture(0)
        head = STALLED.replace(b"Content-Length: 99", b"Content-Length: %d" % len(body))
        with running.stalled(head + body[:9]) as client:
            until(lambda: running.answers(1) == {200})  # and so the head was read
            running.process.terminate()
            until(lambda: refuses(running.address))
            client.sendall(body[9:])
            assert client.recv(64).startswith(b"HTTP/1.1 200")
        assert running.process.wait(PATIENCE_S) == 0


def refuses(address: str) -> bool:
    """Return whether nobody takes connections there any more."""
    try:
        httpx.get(f"{address}/health/live", timeout=1)
    except httpx.ConnectError:
        return True
    except httpx.TransportError:
        pass
    return False


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGINT, 1),
        pytest.param(signal.SIGINT, 2, marks=VARIANT),
        pytest.param(signal.SIGTERM, 1, marks=VARIANT),
        (signal.SIGTERM, 2),
    ],
)
def test_asked_twice_it_ends_at_once(registry: Path, number: signal.Signals, workers: int) -> None:
    flags = (f"--workers={workers}", "--stop-s=3000")
    with service(registry, *flags) as running, running.stalled():
        running.process.send_signal(number)
        until(lambda: refuses(running.address))
        running.process.send_signal(number)
        assert running.process.wait(PATIENCE_S) == 128 + number
        until(lambda: running.workers == set())


@needs_proc
def test_a_signal_to_the_whole_group_is_one_signal(registry: Path) -> None:
    """A terminal and systemd send it to every process; the supervisor then sends its own."""
    with service(registry, "--workers=2", "--stop-s=60") as running:
        for worker in running.workers:
            os.kill(worker, signal.SIGINT)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE_S) == 0
    assert not [line for line in running.said if "died" in line]


SUPERVISED = """
import os, pathlib, signal, socket, sys, tempfile, time
from service.logs import configure_logs
from service.processes.proposals import Proposer
from service.processes.supervisor import supervise
from service.processes.worker import WorkerPlan
from service.registry.published import PublishedModels
def serve(published, listener, outlet):
    {serve}
nothing = PublishedModels({{}})
proposer = Proposer(pathlib.Path(tempfile.gettempdir()), nothing, lambda: nothing)
care = WorkerPlan(serve, proposer, None, lambda: None, "raise the memory limit", 2, 30)
configure_logs("console")
with socket.create_server(("127.0.0.1", 0)) as listener:
    sys.exit(supervise(care, [listener] * 2))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks functions that cannot be spawned")
@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("raise MemoryError", "exit code 1"),
        ("os._exit(70)", "its event loop hung"),
    ],
)
def test_workers_that_die_before_they_are_ready_end_the_service(serve: str, reason: str) -> None:
    script = SUPERVISED.format(serve=serve)
    ended = run_script(script)
    assert ended.returncode == 3
    lines = [line for line in ended.stderr.splitlines() if "before they are ready" in line]
    assert len(lines) == 1
    assert "raise the memory limit" in lines[0]
    assert reason in ended.stderr


def test_workers_can_be_spawned_where_they_cannot_be_forked(registry: Path) -> None:
    """As on macOS: each imports what it does anew, and finds it by name."""
    script = (
        "import runpy, sys\n"
        "import service.processes.workers\n"
        "service.processes.workers.FORKED = False\n"
        "sys.argv[0] = 'service'\n"
        "runpy.run_module('service', run_name='__main__', alter_sys=True)\n"
    )
    with service(registry, "--workers=2", command=["-c", script]) as running:
        assert running.answers(6) == {200}
        running.process.terminate()
        assert running.process.wait(PATIENCE_S) == 0
