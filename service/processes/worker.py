"""A worker's place, the process that holds it, and the signs that it lives."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Thread
from time import monotonic

import structlog

from service.processes.heartbeat import HeartbeatListener
from service.processes.proposals import HANGUP, Proposer
from service.processes.workers import FORKED
from service.registry.published import PublishedModels

WATCH_S = 0.2  # between two looks at the workers
_FIRST_SIGN_S = 120.0  # until a process that is being made shows that it lives
_SLACK_S = 2.0  # so that a worker whose loop stands still ends itself, and says where it stood
_LEAST_PAUSE_S, _MOST_PAUSE_S = 1.0, 30.0

Serve = Callable[[PublishedModels, socket.socket, Connection], None]

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WorkerPlan:
    """The supervisor's facts of the workers.

    Attributes:
        serve: what each of them does; leaves with EXIT_STARTUP_FAILED where no attempt can help.
        proposer: knows what they serve, and what they are to serve next.
        reopen: gives a listener in place of one that was closed; None where all have the same.
        why_not: why a worker that starts now would not serve what the others do; None where it
            would. Then the others go on without it.
        advice: what to raise or lower where workers die before they are ready.
        stop_s: how long they may take to end.
        hung_s: how long one may give no sign of life.
    """

    serve: Serve
    proposer: Proposer
    reopen: Callable[[], socket.socket] | None
    why_not: Callable[[], str | None]
    advice: str
    stop_s: float
    hung_s: float


class Worker:
    """A place among the workers, and the process that holds it for now."""

    def __init__(self, care: WorkerPlan, listener: socket.socket) -> None:
        self._care = care
        self._listener: socket.socket | None = listener
        self._process: BaseProcess | None = None
        self._pulse: HeartbeatListener | None = None
        self._early = 0  # deaths in this place, one after the other, before being ready
        self.not_before = 0.0

    @property
    def lives(self) -> bool:
        """Return whether its process runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def dead(self) -> bool:
        """Return whether the place is empty."""
        return self._process is None

    @property
    def ended(self) -> bool:
        """Return whether the process has ended and was not reaped yet."""
        return self._process is not None and not self._process.is_alive()

    @property
    def ready(self) -> bool:
        """Return whether its process answers."""
        return self._pulse is not None and self._pulse.ready

    @property
    def code(self) -> int | None:
        """The exit code of the process."""
        return None if self._process is None else self._process.exitcode

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return None if self._process is None else self._process.pid

    def start(self, team: "Sequence[Worker]") -> None:
        """Begin to serve in a new process, which has no listener but its own of the team's."""
        if self._listener is None and self._care.reopen is not None:
            self._listener = self._care.reopen()
        others = [one._listener for one in team if one._listener is not self._listener]
        inlet, outlet = multiprocessing.Pipe(duplex=False)
        serve = partial(self._care.serve, self._care.proposer.published)
        arguments = (serve, self._listener, outlet, others if FORKED else [])
        self._process = (
            multiprocessing.get_context("fork").Process(target=_work, args=arguments)
            if FORKED
            else multiprocessing.get_context("spawn").Process(target=_work, args=arguments)
        )
        self._process.start()
        outlet.close()
        self._pulse = HeartbeatListener(inlet, 2 * WATCH_S)

    def end_if_hung(self) -> None:
        """Take the signs that have come; kill the process where none have for too long."""
        if self._process is None or self._pulse is None:
            return
        silent_s = self._pulse.silent_s()
        if not self.lives:
            return
        if silent_s > (self._care.hung_s + _SLACK_S if self._pulse.felt else _FIRST_SIGN_S):
            log.error("worker hangs", process=self.pid, silent_s=round(silent_s, 1))
            self._process.kill()

    def bury(self) -> None:
        """Let go of the process that has ended; who dies early has no successor at once."""
        self._early = 0 if self.ready else self._early + 1
        pause_s = min(_LEAST_PAUSE_S * 2**self._early, _MOST_PAUSE_S) if self._early else 0.0
        self.not_before = monotonic() + pause_s
        if self._pulse is not None:
            self._pulse.close()
        self._process = self._pulse = None

    def close(self) -> None:
        """Take no connections in this place until there is a process again: others get them."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()


def _work(
    serve: Callable[[socket.socket, Connection], None],
    listener: socket.socket,
    outlet: Connection,
    others: Sequence[socket.socket | None],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to all; the supervisor decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if HANGUP is not None:
        signal.signal(HANGUP, signal.SIG_IGN)
    for other in others:
        if other is not None:
            other.close()  # so that its owner can close it for good
    Thread(target=_end_with_parent, daemon=True).start()
    serve(listener, outlet)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # however it ended
        os.kill(os.getpid(), signal.SIGTERM)
