"""One request and its answer, as uvicorn has it, with bodies that are copied less often."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.errors import ServiceError

REFUSAL = "refusal"  # where a scope's state holds the error that ends its request


class Cycle(RequestResponseCycle):
    """Hands a body that came in one piece to the application as it is.

    A request whose body can never be complete is refused: the application sees a disconnect, and
    finds the reason in the state of the scope.
    """

    body: bytes | bytearray  # type: ignore[assignment]  # uvicorn copies all of it twice
    resume_reading: Callable[[], None]  # of its connection, which sets it
    _refused = False

    def take(self, piece: bytes) -> None:
        """Add the next bytes of the body."""
        if not self.body:
            self.body = piece
        elif isinstance(self.body, bytearray):
            self.body += piece
        else:
            self.body = bytearray(self.body) + piece
        self.message_event.set()

    def refuse(self, error: ServiceError) -> None:
        """End a request whose body cannot be completed."""
        self.keep_alive = False
        self.scope["state"][REFUSAL] = error
        self._refused = True
        self.message_event.set()

    async def receive(self) -> Any:
        """The next message, as ASGI has it."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not (self.disconnected or self.response_complete or self._refused):
            if self.flow.read_paused:
                self.resume_reading()
            if not self.message_event.is_set():
                await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete or self._refused:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}
