"""A real HTTP server of a few lines, on a real port, that does as a test tells it."""

import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedIOBase
from itertools import count
from threading import Event, Lock, Thread

from benchmarks.serving.connection import Address

BODY = b'{"embeddings": [[1.0, 0.0]]}'


def head(length: int, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nserver: plain\r\nContent-Length: {length}\r\n{more}\r\n".encode()


@dataclass
class Plain:
    """A recorder of requests and their addresses."""

    address: Address
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    over: Event = field(default_factory=Event)  # set when the test is done


@dataclass(frozen=True)
class Asked:
    """One request; `out` is unbuffered and goes to the client."""

    number: int  # counted from 0
    server: Plain
    out: BufferedIOBase

    def answer(self, data: bytes = head(len(BODY)) + BODY) -> None:
        self.out.write(data)


class HangUp(Exception):
    """Close the connection."""


Answer = Callable[[Asked], None]


class _Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = False


@contextmanager
def serving(answer: Answer = Asked.answer) -> Iterator[Plain]:
    """`answer` is called for each request, on a thread for each connection."""
    numbers, lock = count(), Lock()

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            plain.connections += 1
            with suppress(ConnectionError, HangUp):
                while asked := self._read():
                    answer(asked)

        def _read(self) -> Asked | None:
            length = None
            while (line := self.rfile.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            if length is None:
                return None
            body = self.rfile.read(length)
            with lock:
                plain.bodies.append(body)
                return Asked(next(numbers), plain, self.wfile)

    with _Server(("127.0.0.1", 0), Handler) as server:
        host, port = server.server_address[:2]
        plain = Plain((str(host), port))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield plain
        finally:
            plain.over.set()
            server.shutdown()
            thread.join()
