"""The load generator: one thread, one epoll, requests built beforehand.

It shares the cores with what it measures, so it is kept cheap, and its own processor time is
part of every result: 27 µs a request (11 of them outside the kernel) at 21,500 requests a second
to bare uvicorn over 64 connections, where wrk took 21 µs at 19,700 (one run of 2 s each, two AMD
EPYC cores, AVX2). Linux only, like the rest of the benchmark (epoll and /proc).
"""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from time import perf_counter

import numpy as np

from benchmarks.serving.connection import Connection
from benchmarks.serving.driver import Driver, OnIdle, Target
from benchmarks.serving.sample import Sample

GRACE_S = 5.0  # how long after the end answers are waited for
_FIRST_CONNECTIONS = 64


def closed_loop(target: Target, connections: int, seconds: float) -> Sample:
    """Load `target`: each connection sends its next request when its last one was answered."""
    with closing(Driver(target)) as driver:

        def send_next(connection: Connection) -> None:
            if (now := perf_counter()) < driver.end_s:
                driver.send(connection, now)

        idle = [driver.open() for _ in range(connections)]
        cpu = time.process_time()
        driver.end_s = perf_counter() + seconds
        for connection in idle:
            send_next(connection)
        while (left := driver.end_s - perf_counter()) > 0:
            driver.poll(left, send_next)
        cpu = time.process_time() - cpu
        _drain(driver, lambda _: None)
        return driver.tally.sample(seconds, cpu)


def open_loop(
    target: Target, times_s: Sequence[float], seconds: float, most_connections: int
) -> Sample:
    """Load `target` with requests at the given times, whether or not others were answered.

    The times count from the start and rise. A request that finds no connection free opens one;
    beyond `most_connections` it waits for one. Latencies count from the intended time, so that a
    server that stalls cannot hide it.
    """
    with closing(Driver(target)) as driver:
        queue = _Queue(driver, most_connections)
        cpu = time.process_time()
        began = perf_counter()
        driver.end_s = began + seconds
        due = deque(began + time_s for time_s in times_s)
        while (now := perf_counter()) < driver.end_s:
            while due and due[0] <= now:
                queue.put(due.popleft())
            next_s = min(due[0], driver.end_s) if due else driver.end_s
            driver.wait(max(0.0, next_s - perf_counter()))
            driver.poll(0, queue.use)
        cpu = time.process_time() - cpu
        _drain(driver, queue.use)
        driver.tally.fail("unsent", len(queue))
        return driver.tally.sample(seconds, cpu)


def arrivals(rate_per_s: float, seconds: float, seed: int = 0) -> list[float]:
    """Times of a Poisson process of this rate, in seconds from its start."""
    rng = np.random.default_rng(seed)
    count = int(rate_per_s * seconds)
    gaps = rng.exponential(1 / rate_per_s, size=count + 10 * int(count**0.5) + 10)
    times = np.cumsum(gaps)
    return [float(time_s) for time_s in times[times < seconds]]


class _Queue:
    """Requests that are due, and the connections that are free for them, each used in turn."""

    def __init__(self, driver: Driver, most_connections: int) -> None:
        self._driver = driver
        self._most = most_connections
        first = min(_FIRST_CONNECTIONS, most_connections)
        self._idle = deque(driver.open() for _ in range(first))
        self._waiting: deque[float] = deque()

    def __len__(self) -> int:
        """Count the requests that are due and not sent."""
        return len(self._waiting)

    def put(self, intended_s: float) -> None:
        """Send a request now, or as soon as a connection is free."""
        while self._idle and self._idle[0] not in self._driver:
            self._idle.popleft()  # the server has closed it
        if self._idle:
            self._driver.send(self._idle.popleft(), intended_s)
        elif len(self._driver) < self._most:
            self._driver.send(self._driver.open(), intended_s)
        else:
            self._waiting.append(intended_s)

    def use(self, connection: Connection) -> None:
        """Take a connection that has become free."""
        if self._waiting:
            self._driver.send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)


def _drain(driver: Driver, on_idle: OnIdle) -> None:
    """Wait for what is under way, then count what is missing."""
    give_up = perf_counter() + GRACE_S
    while driver.busy and (left := give_up - perf_counter()) > 0:
        driver.poll(min(left, 0.1), on_idle)
    driver.give_up()
