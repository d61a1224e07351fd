"""The connections of the load generator to one server, and what came back over them."""

import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from benchmarks.serving.connection import Address, Connection
from benchmarks.serving.sample import OK, Kept, Tally
from benchmarks.serving.wire import BadAnswer, Head

_BUFFER_BYTES = 1024 * 1024
_CONTENT = select.EPOLLIN | select.EPOLLRDHUP

OnIdle = Callable[[Connection], None]


@dataclass(frozen=True)
class Target:
    """The address, the body to send, and the least and greatest length of a good answer."""

    address: Address
    requests: Sequence[bytes]
    lengths: tuple[int, int] = (0, _BUFFER_BYTES)


class Driver:
    """Sends requests in turn, one at a time over each connection. Not for more than one thread."""

    def __init__(self, target: Target) -> None:
        self.tally = Tally()
        self.end_s = 0.0  # good answers after it do not count as in time
        self._target = target
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._buffer = bytearray(_BUFFER_BYTES)
        self._next = 0

    @property
    def busy(self) -> bool:
        """Return whether any request is under way."""
        return any(connection.busy for connection in self._connections.values())

    def __len__(self) -> int:
        return len(self._connections)

    def __contains__(self, connection: Connection) -> bool:
        return self._connections.get(connection.number) is connection

    def open(self) -> Connection:
        """A new connection, idle."""
        connection = Connection(self._target.address)
        self._connections[connection.number] = connection
        self._epoll.register(connection.number, _CONTENT)
        return connection

    def send(self, connection: Connection, intended_s: float) -> None:
        """Send the next request, which should have been sent at `intended_s`."""
        request = self._next
        self._next = request + 1 if request + 1 < len(self._target.requests) else 0
        self.tally.sent += 1
        try:
            if not connection.send(self._target.requests[request], request, intended_s):
                self._epoll.modify(connection.number, _CONTENT | select.EPOLLOUT)
        except OSError:
            pass  # the connection is broken: epoll says so next

    def wait(self, seconds: float) -> None:
        """Return when something happened or the time is up, to less than a millisecond."""
        select.select([self._epoll], [], [], seconds)

    def poll(self, timeout_s: float, on_idle: OnIdle) -> None:
        """Handle what happened; `on_idle` gets each connection that may send again."""
        for number, events in self._epoll.poll(timeout_s):
            connection = self._connections[number]
            try:
                if events & select.EPOLLOUT and connection.send_rest():
                    self._epoll.modify(number, _CONTENT)
                answer = connection.receive(self._buffer) if events & ~select.EPOLLOUT else None
            except (OSError, BadAnswer) as error:
                if (new := self._replace(connection, type(error).__name__)) is not None:
                    on_idle(new)
                continue
            if answer is not None:
                self._count(connection, *answer)
                on_idle(self._reopen(connection) if connection.closes else connection)

    def give_up(self) -> None:
        """Count what is still under way as unanswered."""
        self.tally.fail("unanswered", sum(one.busy for one in self._connections.values()))

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            connection.close()
        self._epoll.close()

    def _count(self, connection: Connection, head: Head, data: bytearray) -> None:
        now, tally = perf_counter(), self.tally
        latency = now - connection.intended_s
        if head.status != OK:
            tally.refuse(head.status, latency)
            return
        least, most = self._target.lengths
        if not least <= head.stop - head.start <= most:
            tally.fail("length")
            return
        tally.good_s.append(latency)
        tally.in_time += now <= self.end_s
        if tally.keeps():
            tally.kept.append(Kept(connection.request, bytes(data[head.start : head.stop])))

    def _replace(self, connection: Connection, reason: str) -> Connection | None:
        """A connection ended: an idle one is let go, a busy one failed and another is opened."""
        if not connection.busy:
            self._forget(connection)
            return None
        self.tally.fail(reason)
        return self._reopen(connection)

    def _reopen(self, connection: Connection) -> Connection:
        self._forget(connection)
        return self.open()

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection.number]
        connection.close()
