"""The limit of connections of one process, and the choice of those that end at it."""

from collections.abc import Collection
from typing import Protocol

import structlog

_SHARE = 16  # one of so many that may end do so at once: to find them takes a look at all
_PAUSE_S = 0.1  # after a look that found none
_SILENCE_S = 10.0  # between two lines of the log

log = structlog.get_logger(__name__)


Spare = tuple[int, float]
"""Whether a body is still coming, and since when; without one, since when there is no request."""


class Member(Protocol):
    """A connection."""

    def spare(self, now: float) -> Spare | None:
        """Return its place in the order of ending; None for one with a request in work."""

    def end(self) -> None:
        """Close it."""


class ConnectionCap:
    """Finds room for a new connection: idle ones end, or else those with the slowest body."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._room = 0  # that was made and not taken yet
        self._look_at = self._say_at = 0.0
        self._refused = 0

    def has_room(self, newest: Member, members: Collection[Member], now: float) -> bool:
        """Return whether the newest member may stay, which may be at the cost of idle ones."""
        if len(members) <= self._most:
            self._room = 0
            return True
        if not self._room and now >= self._look_at:
            self._room = self._make_room(newest, members, now)
            self._look_at = now if self._room else now + _PAUSE_S
        if self._room:
            self._room -= 1
            return True
        self._refuse(now)
        return False

    def _make_room(self, newest: Member, members: Collection[Member], now: float) -> int:
        found = ((one.spare(now), one) for one in members if one is not newest)
        spare = [(order, one) for order, one in found if order is not None]
        spare.sort(key=lambda pair: pair[0])
        leaving = spare[: -(-len(spare) // _SHARE)]
        for _, one in leaving:
            one.end()
        return len(leaving)

    def _refuse(self, now: float) -> None:
        self._refused += 1
        if now >= self._say_at:
            self._say_at = now + _SILENCE_S
            log.warning(
                "connections refused: all that are open are in work",
                refused=self._refused,
                max_connections=self._most,
            )
            self._refused = 0
