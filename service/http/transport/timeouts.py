"""The time limits of a connection. One look at all of them now and then, no timers."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from service.http.transport.connection_cap import ConnectionCap
from service.machine.open_files import most_connections
from service.settings import Settings

HEAD, BODY, LINGERING = "head", "body", "lingering"
LINGER_S = 10.0  # after the last answer, for what the client still sends
STOPPING_S = 2.0  # for a client that keeps a service from stopping
_LOOK_S = 0.5
_LOOKS_PER_S = 5000  # at 2 to 3 us each, about 1 % of a processor


class TimedConnection(Protocol):
    """A connection."""

    def look(self, now: float) -> None:
        """End whatever takes too long."""


class ConnectionLimits:
    """The limits of every connection, and the looks at them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cap = ConnectionCap(settings.max_connections or most_connections())
        times = (settings.head_timeout_s, settings.body_timeout_s, settings.keep_alive_s)
        self._look_s = min(_LOOK_S, min(times) / 2)
        self._next: asyncio.TimerHandle | None = None

    def watch(
        self, loop: asyncio.AbstractEventLoop, connections: Iterable[TimedConnection]
    ) -> None:
        """Begin to look at the connections, as long as there are any."""
        if self._next is None:
            self._next = loop.call_later(self._look_s, self._look, loop, connections)

    def _look(
        self, loop: asyncio.AbstractEventLoop, connections: Iterable[TimedConnection]
    ) -> None:
        self._next = None
        found = tuple(connections)
        if found:
            delay_s = max(self._look_s, len(found) / _LOOKS_PER_S)
            self._next = loop.call_later(delay_s, self._look, loop, connections)
        now = loop.time()
        for connection in found:
            connection.look(now)


class TimeoutWatch:
    """Since when one connection is at what it is at, and how many bytes that has brought."""

    __slots__ = (
        "_brought",
        "_settings",
        "_taken",
        "_timeout_s",
        "fed_bytes",
        "idle_since",
        "looked",
        "phase",
        "since",
    )

    def __init__(self, settings: Settings, now: float) -> None:
        self._settings = settings
        self._timeout_s = settings.body_timeout_s
        self.phase: str | None = None
        self.since = self.idle_since = self.looked = now
        self.fed_bytes = 0
        self._brought = _Window(now)
        self._taken: _Window | None = None  # while the client has not taken all

    def note(self, phase: str, size_bytes: int, now: float) -> None:
        """Note bytes that came for this phase; the ones that began a body are not counted."""
        if phase is not self.phase:
            self.phase, self.since = phase, now
            self.fed_bytes = size_bytes if phase is HEAD else 0
            self._brought.begin(now, self.fed_bytes)
        else:
            self.fed_bytes += size_bytes

    def pardon(self, now: float) -> None:
        """Do not count the time since the last look: the client was waiting, not we."""
        self._brought.since += now - self.looked

    def hurry(self, now: float) -> None:
        """Have less patience from now on."""
        self._timeout_s = min(self._timeout_s, STOPPING_S)
        for window in (self._brought, self._taken):
            if window is not None:
                window.begin(now, window.seen_bytes)

    def head_is_late(self, now: float) -> bool:
        """Return whether the head that has begun should be complete."""
        return now - max(self.since, self.idle_since) > self._settings.head_timeout_s

    def body_is_late(self, now: float) -> bool:
        """Return whether the body should be complete, or have brought more by now."""
        return self._late(self._brought, now, self.fed_bytes)

    def lingers_long(self, now: float) -> bool:
        """Return whether the client has had the time to see that it was answered."""
        self.note(LINGERING, 0, now)
        return now - self.since > min(LINGER_S, self._timeout_s)

    def is_idle(self, now: float, *, asked: bool) -> bool:
        """Return whether a connection without a request should end."""
        limits = self._settings
        return now - self.idle_since > (limits.keep_alive_s if asked else limits.head_timeout_s)

    def is_stuck(self, now: float, written_bytes: int, unsent_bytes: int) -> bool:
        """Return whether the client takes its answer too slowly."""
        if not unsent_bytes:
            self._taken = None
            return False
        sent_bytes = written_bytes - unsent_bytes
        if self._taken is None:
            self._taken = _Window(now, sent_bytes)
        return self._late(self._taken, now, sent_bytes)

    def _late(self, window: "_Window", now: float, size_bytes: int) -> bool:
        window.seen_bytes = size_bytes
        if now - window.since <= self._timeout_s:
            return False
        least = self._timeout_s * self._settings.min_bytes_per_s
        late = size_bytes - window.had_bytes < least
        window.begin(now, size_bytes)
        return late


class _Window:
    """A stretch of time in which enough bytes must move."""

    __slots__ = ("had_bytes", "seen_bytes", "since")

    def __init__(self, now: float, size_bytes: int = 0) -> None:
        self.begin(now, size_bytes)

    def begin(self, now: float, size_bytes: int) -> None:
        self.since = now
        self.had_bytes = self.seen_bytes = size_bytes
