"""Requests as bytes, for what no HTTP client would send."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.serving import PATIENCE_S


@dataclass(frozen=True)
class Answer:
    """One answer, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a problem; checks that it is whole."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["x-request-id"]
        assert isinstance(problem["code"], str)
        return str(problem["code"])


class Line:
    """A connection, and what has come over it and was not read yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._data = b""

    def send(self, *parts: bytes) -> "Line":
        for part in parts:
            self.connection.sendall(part)
        return self

    def send_end(self) -> "Line":
        """Close the sending side."""
        self.connection.shutdown(socket.SHUT_WR)
        return self

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next final answer."""
        while True:
            head = self._until(b"\r\n\r\n").decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            status = int(first.split(" ")[1])
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
            }
            if status >= 200:
                size = 0 if to_head else int(headers["content-length"])
                return Answer(status, headers, self._take(size))

    def answers(self, count: int) -> list[Answer]:
        return [self.answer() for _ in range(count)]

    def end(self) -> bytes:
        """Return all that comes until the service closes."""
        while piece := self.connection.recv(65536):
            self._data += piece
        return self._data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._data:
            self._more()
        return self._take(self._data.index(mark) + len(mark))

    def _take(self, size: int) -> bytes:
        while len(self._data) < size:
            self._more()
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    def _more(self) -> None:
        piece = self.connection.recv(65536)
        assert piece, f"closed after {self._data[:200]!r}"
        self._data += piece


@contextmanager
def line(client: httpx.Client) -> Iterator[Line]:
    """A new connection to the service of this client."""
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=PATIENCE_S) as connection:
        yield Line(connection)


def request(method: str, target: str, *headers: str, body: bytes = b"") -> bytes:
    """A request; its length is declared where it has a body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """A body in chunks."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n" + trailers + b"\r\n"
