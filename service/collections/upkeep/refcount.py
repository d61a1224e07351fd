"""Counted users of a thing that may be closed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

from service.errors import ServiceError

Reason = Callable[[], ServiceError]  # makes the error of whoever comes too late


class RefCount:
    """Lets users in until it is closed; closing waits for those inside to come out."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._paused = False
        self._closed: Reason | None = None

    @contextmanager
    def using(self) -> Iterator[None]:
        """While the thing is open. Raises what it was closed for."""
        with self._changed:
            self._changed.wait_for(lambda: not self._paused)
            if self._closed:
                raise self._closed()
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def pausing(self) -> Iterator[bool]:
        """While nobody uses it, if nobody does now; whoever comes meanwhile waits.

        The block gets whether that is so.
        """
        with self._changed:
            free = not (self._inside or self._paused or self._closed)
            self._paused = self._paused or free
        try:
            yield free
        finally:
            if free:
                with self._changed:
                    self._paused = False
                    self._changed.notify_all()

    def close(self, because: Reason) -> bool:
        """Close it, and return whether this call did; then it has no users left."""
        with self._changed:
            if self._closed:
                return False
            self._closed = because
            self._changed.wait_for(lambda: self._inside == 0 and not self._paused)
            return True
