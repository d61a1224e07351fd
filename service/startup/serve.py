"""The application of one process: alone, or as one of several.

It is no part of `__main__`, whose functions a process that is spawned cannot find.
"""

import contextlib
import gc
import socket
import sys
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

from models.store import Store
from service.processes.heartbeat import Heartbeat
from service.processes.proposals import Proposer
from service.processes.sockets import reopener
from service.processes.worker import WorkerPlan
from service.processes.workers import EXIT_STARTUP_FAILED, loaded_by_any, memory_advice
from service.registry.published import PublishedModels, bytes_to_load, read_published, why_changed
from service.settings import Settings, read_settings
from service.startup.server import Server, make_server

# At Python's own 700, collecting takes a twentieth of what a small request does (measured).
_GC_THRESHOLD = 5000


def care(settings: Settings, listener: socket.socket, shared: Path) -> WorkerPlan:
    """Return the workers' task, with the facts for their supervisor. Imports the application."""
    _import_app()
    store = Store(settings.registry)
    read = partial(read_published, store, settings.pinned_versions)
    published = read()
    proposer = Proposer(shared, published, read, settings.reload_every_s)
    return WorkerPlan(
        serve=_be_worker,
        proposer=proposer,
        reopen=reopener(settings, listener),
        why_not=lambda: why_changed(store, proposer.published, loaded_by_any(shared)),
        advice=memory_advice(settings.workers or 1, bytes_to_load(store, published.defaults)),
        stop_s=settings.stop_s,
        hung_s=settings.worker_timeout_s,
    )


def serve_alone(settings: Settings, listener: socket.socket) -> int:
    """Serve in this process until interrupted; the exit code."""
    app = _import_app().create_app(settings)
    return _run(make_server(settings, app, Heartbeat(settings.worker_timeout_s)), listener)


def _be_worker(published: PublishedModels, listener: socket.socket, outlet: Connection) -> None:
    settings = read_settings({})
    app = _import_app().worker_app(settings, published)
    heart = Heartbeat(settings.worker_timeout_s, outlet)
    sys.exit(_run(make_server(settings, app, heart, supervised=True), listener))


def _run(server: Server, listener: socket.socket) -> int:
    """Serve until interrupted; EXIT_STARTUP_FAILED where it did not get as far as serving."""
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0 if server.started else EXIT_STARTUP_FAILED


def _import_app() -> ModuleType:
    """Import the application; late, since prometheus-client then looks for the workers' folder.

    What an import makes stays: the garbage collector need not look through it, then or ever.
    """
    gc.disable()
    app = import_module("service.http.app")
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    gc.enable()
    return app
