"""The sockets that the service listens on: one for each worker, all on the one port."""

import socket
from collections.abc import Callable
from functools import partial

from service.errors import AddressTaken
from service.processes.workers import FORKED
from service.settings import Settings, flag

_BACKLOG = 2048


def listen(settings: Settings, workers: int) -> list[socket.socket]:
    """A listener for each worker. Raises AddressTaken."""
    first = _bind(settings, settings.port)
    if workers == 1:
        return [first]
    port = port_of(first)
    if not FORKED:
        return [first] * workers
    first.close()  # it has shown that nobody else is there; sockets that share would not notice
    return [_bind(settings, port, shared=True) for _ in range(workers)]


def reopener(settings: Settings, listener: socket.socket) -> Callable[[], socket.socket] | None:
    """Return a maker of listeners on that port; None where all workers share one."""
    return partial(_bind, settings, port_of(listener), shared=True) if FORKED else None


def port_of(listener: socket.socket) -> int:
    """The port that it listens on."""
    return int(listener.getsockname()[1])


def _bind(settings: Settings, port: int, *, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((settings.host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise AddressTaken(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; choose another "
            f"with {flag('host')} and {flag('port')}"
        ) from None
    return listener
