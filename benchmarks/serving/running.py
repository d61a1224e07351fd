"""A server as a process: start it, wait until it answers, stop it."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.serving import processes, wire
from benchmarks.serving.connection import Address
from benchmarks.serving.peers import Server
from benchmarks.serving.results import Memory

_ROOT = Path(__file__).parents[2]
_START_S, _STOP_S, _ANSWER_S = 60.0, 15.0, 10.0
_LOG_LINES = 15


class ServerFailed(Exception):
    """A server did not start or does not answer."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    server: Server
    address: Address
    session: int
    ready_s: float  # from the process's start to its first answer to an image

    def cpu_s(self) -> float:
        """Processor seconds of all its processes so far."""
        return processes.cpu_s(self.session)

    def memory(self) -> Memory:
        """Of all its processes now."""
        return processes.memory(self.session)


@contextmanager
def running(server: Server, image: bytes, cpus: Iterable[int] = ()) -> Iterator[Running]:
    """Start a server, post it an image until it is answered; stop it at the end of the block.

    Raises ServerFailed with the end of its log.
    """
    address = ("127.0.0.1", _free_port())
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = _start(server.command(address[1]), log, cpus)
        try:
            _wait_until(process, log, lambda: _answers(address, wire.get(server.ready)))
            _wait_until(process, log, lambda: _answers(address, server.request([image])))
            yield Running(server, address, process.pid, time.perf_counter() - began)
        finally:
            _stop(process)


def ask(address: Address, request: bytes) -> bytes:
    """The body of the answer to one request.

    Raises ServerFailed where it is no 200, OSError where there is none.
    """
    with socket.create_connection(address, timeout=_ANSWER_S) as connection:
        connection.sendall(request)
        answer = bytearray()
        head = None
        while head is None or len(answer) < head.stop:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionResetError("the server closed the connection")
            answer += piece
            head = wire.read_head(answer, len(answer))
    body = bytes(answer[head.start :])
    if head.status != 200:
        raise ServerFailed(f"status {head.status}: {body[:200].decode(errors='replace')}")
    return body


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _start(command: list[str], log: IO[bytes], cpus: Iterable[int]) -> subprocess.Popen[bytes]:
    """In a session of its own, by which its processes are found and ended."""
    ours = os.sched_getaffinity(0)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOSSATLAS_")}
    os.sched_setaffinity(0, set(cpus) or ours)  # it inherits this, and counts its cores by it
    try:
        return subprocess.Popen(
            command,
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    finally:
        os.sched_setaffinity(0, ours)


def _wait_until(
    process: subprocess.Popen[bytes], log: IO[bytes], fulfilled: Callable[[], bool]
) -> None:
    give_up = time.monotonic() + _START_S
    while not fulfilled():
        if process.poll() is not None or time.monotonic() > give_up:
            log.seek(0)
            lines = log.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
            raise ServerFailed("\n".join(["it does not answer; its log ends:", *lines]))
        time.sleep(0.01)


def _answers(address: Address, request: bytes) -> bool:
    try:
        ask(address, request)
    except (OSError, ServerFailed, wire.BadAnswer):
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the first process to end, then end what is left of its session."""
    try:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
    finally:  # even if whoever waits loses patience
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
