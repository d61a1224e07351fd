"""Signs of life: an event loop that stands still is noticed, from inside and from outside.

Only time in which the watcher itself was awake counts: where the whole machine slept or was
stopped, nobody watched.
"""

import asyncio
import faulthandler
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Event, Thread
from time import monotonic

BEAT_S = 0.5
HUNG = 70  # exit code of a process that ended itself for that

_LOOK_S = 0.5
_ALIVE = b"."
_READY = b"r"


class SilenceClock:
    """The time for which a watcher has seen no sign of life."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._looked = monotonic()

    def look(self, *, alive: bool, most_s: float) -> float:
        """Look now; the time since the last look counts for `most_s` at most."""
        now = monotonic()
        passed, self._looked = now - self._looked, now
        self.seconds = 0.0 if alive else self.seconds + min(passed, most_s)
        return self.seconds


class Heartbeat:
    """Beats on an event loop. A thread of this process listens to it, and so may another process.

    Where it is silent for `hung_s`, that thread writes to stderr where every thread is and ends the
    process. It needs Python's lock for that; who holds the lock for ever is found by the other
    process.
    """

    def __init__(self, hung_s: float, outlet: Connection | None = None) -> None:
        self._hung_s = hung_s
        self._outlet = outlet
        self._beats = 0
        self._resting = Event()
        if outlet is not None and sys.platform != "win32":
            os.set_blocking(outlet.fileno(), False)  # a loop waits for no supervisor

    async def beat(self) -> None:
        """Beat until cancelled."""
        Thread(target=self._listen, name="heartbeat", daemon=True).start()
        try:
            while True:
                self._beats += 1
                self._tell(_ALIVE)
                await asyncio.sleep(BEAT_S)
        finally:
            self._resting.set()

    def ready(self) -> None:
        """Tell the other process that this one answers."""
        self._tell(_READY)

    def _tell(self, sign: bytes) -> None:
        if self._outlet is not None:
            with suppress(OSError):  # full, or nobody is there
                self._outlet.send_bytes(sign)

    def _listen(self) -> None:
        silence, heard = SilenceClock(), -1
        while not self._resting.wait(_LOOK_S):
            beats = self._beats
            if silence.look(alive=beats != heard, most_s=2 * _LOOK_S) > self._hung_s:
                _give_up(self._hung_s)
            heard = beats


class HeartbeatListener:
    """The other end of a heart's outlet."""

    def __init__(self, inlet: Connection, most_s: float) -> None:
        self._inlet = inlet
        self._most_s = most_s
        self._silence = SilenceClock()
        self.felt = False
        self.ready = False

    def silent_s(self) -> float:
        """Take what has come, and say for how long nothing has."""
        signs = list(self._taken())
        self.felt = self.felt or bool(signs)
        self.ready = self.ready or _READY in signs
        return self._silence.look(alive=bool(signs), most_s=self._most_s)

    def close(self) -> None:
        """Let go of it."""
        self._inlet.close()

    def _taken(self) -> "list[bytes]":
        signs = []
        with suppress(OSError, EOFError):  # it has ended
            while self._inlet.poll():
                signs.append(self._inlet.recv_bytes())
        return signs


def _give_up(hung_s: float, end: Callable[[int], None] = os._exit) -> None:
    message = f"the event loop has not moved for {hung_s:g} s; ending. Where it stands:\n"
    sys.stderr.write(message)
    sys.stderr.flush()
    faulthandler.dump_traceback(sys.stderr)
    end(HUNG)
