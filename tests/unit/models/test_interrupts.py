"""Ctrl-C."""

import os
import signal
import sys
from threading import Thread

import pytest

from models.interrupts import stop_on_interrupt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_interrupt() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert signal.getsignal(number) is before


def test_the_second_one_ends_the_block() -> None:
    with pytest.raises(KeyboardInterrupt), stop_on_interrupt() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        os.kill(os.getpid(), signal.SIGINT)
        stop.wait(5)


def test_another_thread_goes_without() -> None:
    unset = []

    def work() -> None:
        with stop_on_interrupt() as stop:
            unset.append(not stop.is_set())

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert unset == [True]
