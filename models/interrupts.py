"""Ctrl-C as a wish to stop after what is in hand."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType


@contextmanager
def stop_on_interrupt() -> Iterator[Event]:
    """An event that is set by the first SIGINT or SIGTERM of the block; the second one ends it."""
    wanted = Event()
    if current_thread() is not main_thread():  # only there can signals be handled
        yield wanted
        return

    def note(number: int, frame: FrameType | None) -> None:
        if wanted.is_set():
            signal.default_int_handler(number, frame)
        wanted.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wanted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
