"""One keep-alive connection of the load generator."""

import socket

from benchmarks.serving.wire import BadAnswer, Head, read_head

Address = tuple[str, int]
_SEND_BUFFER_BYTES = 1024 * 1024  # a whole photograph goes out in one call


class Connection:
    """A non-blocking socket with at most one request under way."""

    __slots__ = ("_parts", "_stop", "_unsent", "busy", "closes", "intended_s", "request", "socket")

    def __init__(self, address: Address) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self.socket.connect_ex(address)  # under way; what fails shows when it is written to
        self.busy = self.closes = False
        self.request = 0  # which of the target's requests is under way
        self.intended_s = 0.0  # when it should have been sent
        self._unsent = memoryview(b"")
        self._parts = bytearray()  # of an answer that comes in pieces
        self._stop = 0  # how long that answer will be; 0 where its head is not complete

    @property
    def number(self) -> int:
        """Its file descriptor; -1 once it is closed."""
        return self.socket.fileno()

    def send(self, data: bytes, request: int, intended_s: float) -> bool:
        """Begin a request; False where some of it must wait until the socket is writable."""
        self.busy, self.request, self.intended_s = True, request, intended_s
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return True
        self._unsent = memoryview(data)[sent:]
        return False

    def send_rest(self) -> bool:
        """Go on after the socket became writable; whether all is sent now."""
        try:
            sent = self.socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        self._unsent = self._unsent[sent:]
        return not self._unsent

    def receive(self, buffer: bytearray) -> tuple[Head, bytearray] | None:
        """Read what has come; the head and the bytes where the answer is complete.

        The bytes are `buffer` or the connection's own: use them before the next call.
        Raises ConnectionError where the server closed, BadAnswer where it makes no sense.
        """
        try:
            size = self.socket.recv_into(buffer)
        except BlockingIOError:
            return None
        if size == 0:
            raise ConnectionResetError("closed by the server")
        if self._parts or self._stop:
            return self._receive_more(buffer[:size])
        head = read_head(buffer, size)
        if head is None or head.stop > size:
            self._parts += buffer[:size]
            self._stop = 0 if head is None else head.stop
            return None
        return self._complete(head, buffer, size)

    def close(self) -> None:
        """Close it, whatever is under way."""
        self.socket.close()

    def _receive_more(self, piece: bytearray) -> tuple[Head, bytearray] | None:
        self._parts += piece
        size = len(self._parts)
        if size < self._stop:
            return None
        head = read_head(self._parts, size)
        if head is None or head.stop > size:
            self._stop = 0 if head is None else head.stop
            return None
        answer, self._parts, self._stop = self._parts, bytearray(), 0
        return self._complete(head, answer, size)

    def _complete(self, head: Head, data: bytearray, size: int) -> tuple[Head, bytearray]:
        if size > head.stop or not self.busy:
            raise BadAnswer("more bytes than the answer has")
        self.busy, self.closes = False, head.closes
        return head, data
