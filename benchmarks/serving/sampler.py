"""`python -m benchmarks.serving.sampler OUT FLAGS...`: the service, telling where its time goes.

At every sample each thread's processor time since the last one goes to the function it is in. The
interpreter hands over between bytecodes, so time in C code (a decoder, onnxruntime, orjson) goes
to the function that called it. SIGUSR1 forgets what was counted.
"""

import json
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from service.__main__ import main

_INTERVAL_S = 0.002
_SWITCH_S = 0.0005  # how soon the interpreter hands over to the sampler
NATIVE = "threads without Python"


class Sampler(threading.Thread):
    """Counts processor nanoseconds by thread and function, on a thread of its own."""

    def __init__(self) -> None:
        super().__init__(name="sampler", daemon=True)
        self._last: dict[int, int] = {}
        self._spent: Counter[tuple[str, str]] = Counter()
        self._process_ns = time.process_time_ns()
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until `finish`."""
        while not self._over.wait(_INTERVAL_S):
            frames = sys._current_frames()
            for thread in threading.enumerate():
                frame = frames.get(thread.ident or 0)
                if frame is not None and (spent := self._advance(thread.native_id or 0)):
                    self._spent[thread.name, _place(frame)] += spent

    def forget(self) -> None:
        """Start again from nothing."""
        self._spent.clear()
        self._process_ns = time.process_time_ns()

    def finish(self) -> dict[str, int]:
        """Nanoseconds by `thread: function`; those of threads without Python too."""
        self._over.set()
        self.join()
        found = {f"{thread}: {place}": ns for (thread, place), ns in self._spent.items()}
        rest = time.process_time_ns() - self._process_ns - sum(found.values())
        return {**found, NATIVE: max(0, rest)}

    def _advance(self, native_id: int) -> int:
        """Processor time of a thread since this was last asked; 0 the first time."""
        try:
            now = time.clock_gettime_ns(_clock(native_id))
        except OSError:  # it has ended
            return 0
        last = self._last.get(native_id, now)
        self._last[native_id] = now
        return now - last


def _clock(native_id: int) -> int:
    """Linux's number for a thread's clock; pthread_getcpuclockid crashes where it has ended."""
    return ~native_id << 3 | 6


def _place(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"


def _serve(out: Path, flags: list[str]) -> int:
    sys.setswitchinterval(_SWITCH_S)
    sampler = Sampler()
    signal.signal(signal.SIGUSR1, lambda *_: sampler.forget())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again at its end
    sampler.start()
    try:
        return main(flags)
    finally:
        out.write_text(json.dumps(sampler.finish()))


if __name__ == "__main__":
    sys.exit(_serve(Path(sys.argv[1]), sys.argv[2:]))
