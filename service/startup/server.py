"""uvicorn's server as one process of the service runs it: how it lives and how it ends."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread, current_thread, main_thread
from time import sleep
from types import FrameType

import structlog
import uvicorn
from starlette.types import ASGIApp

from service.processes.heartbeat import Heartbeat
from service.settings import Settings

# Of the time to stop in: the rest is for batches that run, and for files to be closed.
_SHARE_OF_REQUESTS = 0.75
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = structlog.get_logger(__name__)


class Server(uvicorn.Server):
    """Beats while it runs; stops within `stop_s`, or at once when it is asked twice.

    A worker (`supervised`) leaves the second signal to its supervisor: whoever sends signals to
    the whole group, as a terminal and systemd do, would else seem to ask twice.
    """

    def __init__(
        self, config: uvicorn.Config, heart: Heartbeat, stop_s: float, *, supervised: bool
    ) -> None:
        super().__init__(config)
        self._heart = heart
        self._stop_s = stop_s
        self._supervised = supervised

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal asks to stop."""
        beating = asyncio.create_task(self._heart.beat(), name="heartbeat")
        try:
            await super().serve(sockets)
        finally:
            beating.cancel()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections once the application is ready."""
        await super().startup(sockets)
        self._heart.ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals; uvicorn would raise them again at the end, against an exit code of 0."""
        if current_thread() is not main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; asked again, end."""
        del frame
        if self._supervised and sig == signal.SIGINT:
            return
        if not self.started:
            os._exit(0)  # nobody was answered yet, and loading would be waited for
        if not self.should_exit:
            self.should_exit = True
            Thread(target=self._end_in_time, daemon=True).start()
        elif not self._supervised:
            os._exit(128 + sig)

    def _end_in_time(self) -> None:
        sleep(self._stop_s)
        log.warning("not stopped in time, and ended", seconds=self._stop_s)
        sys.stderr.flush()
        os._exit(0)


def make_server(
    settings: Settings, app: ASGIApp, heart: Heartbeat, *, supervised: bool = False
) -> Server:
    """The server of this application; `supervised` where it is one of several processes."""
    from service.http.transport.server_config import server_config  # late, as service.__main__ says

    config = server_config(app, settings, max(1, int(_SHARE_OF_REQUESTS * settings.stop_s)))
    return Server(config, heart, settings.stop_s, supervised=supervised)
