"""The supervisor: it starts the workers, replaces those that die or hang, and ends them all."""

import signal
import socket
from collections.abc import Sequence
from threading import Event
from time import monotonic, sleep
from types import FrameType

import structlog

from models.machine import memory_kills
from service.machine.terminal import has_terminal
from service.processes.heartbeat import HUNG
from service.processes.proposals import HANGUP
from service.processes.worker import WATCH_S, Worker, WorkerPlan
from service.processes.workers import EXIT_STARTUP_FAILED

_ATTEMPTS = 3  # of workers that die before they are ready, while none is
_CHECK_S = 5.0  # between two looks at what keeps a worker from being replaced

log = structlog.get_logger(__name__)


def supervise(care: WorkerPlan, listeners: Sequence[socket.socket]) -> int:
    """Serve on each socket in a process of its own until SIGINT or SIGTERM.

    Who dies or hangs is replaced. A second signal ends all at once. Returns the exit code:
    EXIT_STARTUP_FAILED where a worker says that or where they die before any is ready, else 0.
    """
    workers = [Worker(care, listener) for listener in listeners]
    stopping = _stop_on_signals(workers)
    reload = _reload_on_hangup(stopping)
    team = _Team(care, workers)
    try:
        for worker in workers:
            worker.start(workers)
        while not stopping.wait(WATCH_S):
            if reload.is_set() and not care.proposer.busy:
                reload.clear()
                care.proposer.propose()
            care.proposer.look(team.ready)
            if team.look():
                _kill(workers)  # none has answered anybody
                return EXIT_STARTUP_FAILED
        return 0
    finally:
        _end(workers, care.stop_s)


def _stop_on_signals(workers: Sequence[Worker]) -> Event:
    stopping = Event()

    def stop(number: int, _: FrameType | None) -> None:
        if stopping.is_set():
            _kill(workers)
            raise SystemExit(128 + number)
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopping


def _reload_on_hangup(stopping: Event) -> Event:
    """SIGHUP asks for a reload, or for the end where it says that the terminal is gone."""
    asked, had_terminal = Event(), has_terminal()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        (stopping if had_terminal and not has_terminal() else asked).set()

    if HANGUP is not None:
        signal.signal(HANGUP, hang_up)
    return asked


def _kill(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.kill()


def _end(workers: Sequence[Worker], stop_s: float) -> None:
    until = monotonic() + stop_s
    for worker in workers:
        worker.close()  # or connections would wait here for nobody
    while any(worker.lives for worker in workers) and monotonic() < until:
        for worker in workers:
            worker.terminate()  # again and again: who has only just been made may not hear it
        sleep(WATCH_S)
    _kill(workers)


class _Team:
    """Decisions about all workers together."""

    def __init__(self, care: WorkerPlan, workers: Sequence[Worker]) -> None:
        self._care = care
        self._workers = workers
        self._kills = memory_kills()
        self._early = 0  # deaths before being ready since a worker last was
        self._next_check = 0.0
        self._held_back: str | None = None

    @property
    def ready(self) -> frozenset[int]:
        """Return the numbers of the processes that answer."""
        return frozenset(one.pid for one in self._workers if one.lives and one.ready and one.pid)

    def look(self) -> bool:
        """Replace those that are to be replaced; whether to give up."""
        for worker in self._workers:
            worker.end_if_hung()
        ready = any(worker.ready for worker in self._workers)
        for worker in self._workers:
            if worker.ended:
                if worker.code == EXIT_STARTUP_FAILED and not ready:
                    return True
                self._note_death(worker)
        if ready:
            self._early = 0
        elif self._early >= _ATTEMPTS:
            log.error("workers die before they are ready", way_out=self._care.advice)
            return True
        self._replace()
        return False

    def _note_death(self, worker: Worker) -> None:
        kills = memory_kills()
        short = worker.code == -signal.SIGKILL and kills > self._kills
        self._kills = kills
        reason = "killed for want of memory" if short else _reason(worker.code)
        log.warning("worker died", process=worker.pid, reason=reason, ready=worker.ready)
        self._early += not worker.ready
        worker.bury()

    def _replace(self) -> None:
        now = monotonic()
        due = [worker for worker in self._workers if worker.dead and now >= worker.not_before]
        if not due or now < self._next_check:
            return
        living = any(worker.lives for worker in self._workers)
        why_not = self._care.why_not() if living else None
        if why_not is not None:
            self._next_check = monotonic() + _CHECK_S
            if why_not != self._held_back:
                log.error("a worker is not replaced while its models are not there", reason=why_not)
            for worker in due if self._care.reopen is not None else ():
                worker.close()
        else:
            for worker in due:
                worker.start(self._workers)
        self._held_back = why_not


def _reason(code: int | None) -> str:
    if code is None or code >= 0:
        return "its event loop hung" if code == HUNG else f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"
