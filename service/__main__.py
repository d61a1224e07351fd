"""`python -m service`: read the settings, take the port, serve."""

import argparse
import contextlib
import gc
import os
import socket
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

import structlog

from models.store import Store
from service.checks import check, count_workers
from service.commands import COMMANDS, run
from service.errors import StartError
from service.folders import shared_folder
from service.heartbeat import Heart
from service.listening import listen, port_of, reopener
from service.logs import configure_logs
from service.process import Care
from service.published import Published, newest_bytes, read_published, why_changed
from service.server import Server, make_server
from service.settings import Settings, flag, read_settings, to_environment
from service.supervisor import supervise
from service.workers import CANNOT_START, SHARED, loaded_by_any, memory_advice

# At Python's own 700, collecting takes a twentieth of what a small request does (measured).
_GC_THRESHOLD = 5000

log = structlog.get_logger("service")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 where it cannot start, with one line that says why.

    Where the first word is one of COMMANDS, do that instead.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in COMMANDS:
        return run(words[0], words[1:])
    flags = _parse(words)
    try:
        settings = read_settings(flags)
        configure_logs(settings.log_format)
        check(settings)
        workers = count_workers(settings)
        settings = settings.model_copy(update={"workers": workers})
        listeners = listen(settings, workers)
    except StartError as error:
        print(f"python -m service: {error}", file=sys.stderr)  # noqa: T201 - no log yet
        return 2
    with contextlib.ExitStack() as open_sockets:
        for listener in listeners:
            open_sockets.enter_context(listener)
        return _serve(settings, listeners)


def _parse(arguments: Sequence[str]) -> dict[str, str]:
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Serve the published models over HTTP.",
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f" (default {field.default})"
        parser.add_argument(flag(name), metavar="X", help=f"{field.description}{default}")
    return dict(vars(parser.parse_args(arguments)))


def _epilog() -> str:
    commands = "\n".join(f"  {name:<13}{summary}" for name, summary in COMMANDS.items())
    return (
        "Each flag is also an environment variable: --max-images is LOSSATLAS_MAX_IMAGES.\n\n"
        "Besides serving, `python -m service COMMAND` (--help tells more) can\n" + commands
    )


def _serve(settings: Settings, listeners: Sequence[socket.socket]) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{port_of(listeners[0])}"
    log.info("listening", address=address, docs=f"{address}/docs", workers=settings.workers)
    if settings.workers == 1:
        app = _import_app().create_app(settings)
        return _run(make_server(settings, app, Heart(settings.worker_timeout_s)), listeners[0])
    with shared_folder(settings.data_dir) as shared:
        os.environ.update(to_environment(settings), **{SHARED: str(shared)})
        _import_app()
        return supervise(_care(settings, listeners[0], shared), listeners)


def _care(settings: Settings, listener: socket.socket, shared: Path) -> Care:
    store = Store(settings.registry)
    published = read_published(store)
    return Care(
        serve=partial(_be_worker, published),
        reopen=reopener(settings, listener),
        why_not=lambda: why_changed(store, published, loaded_by_any(shared)),
        advice=memory_advice(settings.workers or 1, newest_bytes(store)),
        stop_s=settings.stop_s,
        hung_s=settings.worker_timeout_s,
    )


def _be_worker(published: Published, listener: socket.socket, outlet: Connection) -> None:
    settings = read_settings({})
    app = _import_app().worker_app(settings, published)
    heart = Heart(settings.worker_timeout_s, outlet)
    sys.exit(_run(make_server(settings, app, heart, supervised=True), listener))


def _run(server: Server, listener: socket.socket) -> int:
    """Serve until interrupted; CANNOT_START where it did not get as far as serving."""
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    return 0 if server.started else CANNOT_START


def _import_app() -> ModuleType:
    """What answers; imported late, since prometheus-client then looks for the workers' folder.

    What an import makes stays: the garbage collector need not look through it, then or ever.
    """
    gc.disable()
    app = import_module("service.http.app")
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    gc.enable()
    return app


if __name__ == "__main__":
    sys.exit(main())
