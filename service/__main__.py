"""`python -m service`: read the settings, take the port, serve."""

import argparse
import contextlib
import gc
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import ModuleType

import structlog
import uvicorn
from starlette.types import ASGIApp

from models.store import Store
from service.commands import COMMANDS, run
from service.errors import AddressTaken, RegistryEmpty, StartError
from service.http.tracing import require_tracing
from service.logs import configure_logs
from service.published import Published, read_published
from service.settings import Settings, flag, read_settings, to_environment
from service.workers import CANNOT_START, FORKED, SHARED, default_workers, supervise

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
        _check_registry(settings)
        _check_device(settings)
        _check_extras(settings)
        workers = settings.workers or default_workers(settings.device)
        settings = settings.model_copy(update={"workers": workers})
        listeners = _listen(settings, workers)
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


def _check_registry(settings: Settings) -> None:
    names = Store(settings.registry).names()
    if not names:
        raise RegistryEmpty(
            f"there is no published model in {settings.registry}; publish one with "
            f"'python -m training run', or name another folder with {flag('registry')}"
        )
    if settings.default_loss not in names:
        log.warning("the default model is not published", name=settings.default_loss, models=names)


def _check_device(settings: Settings) -> None:
    if settings.device in ("cuda", "tensorrt"):
        from service.device import choose_provider

        choose_provider(settings.device)


def _check_extras(settings: Settings) -> None:
    if settings.tracing == "otlp":
        require_tracing()
    if settings.index_url != "embedded":
        from service.index.milvus_server import require_milvus

        require_milvus()


def _listen(settings: Settings, workers: int) -> list[socket.socket]:
    """A socket for each worker, all on the one port."""
    first = _bind(settings, settings.port)
    if workers == 1:
        return [first]
    port = first.getsockname()[1]
    if not FORKED:
        return [first] * workers
    first.close()  # it has shown that nobody else is there; sockets that share would not notice
    return [_bind(settings, port, shared=True) for _ in range(workers)]


def _bind(settings: Settings, port: int, *, shared: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((settings.host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise AddressTaken(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; choose another "
            f"with {flag('host')} and {flag('port')}"
        ) from None
    return listener


def _serve(settings: Settings, listeners: Sequence[socket.socket]) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{listeners[0].getsockname()[1]}"
    log.info("listening", address=address, docs=f"{address}/docs", workers=settings.workers)
    if settings.workers == 1:
        return _serve_alone(settings, listeners[0])
    with tempfile.TemporaryDirectory(prefix="lossatlas-workers-") as shared:
        os.environ.update(to_environment(settings), **{SHARED: shared})
        _import_app()
        serve = partial(_be_worker, read_published(Store(settings.registry)))
        return supervise(serve, listeners, settings.deadline_s + 2)


def _serve_alone(settings: Settings, listener: socket.socket) -> int:
    app = _import_app().create_app(settings)
    return 0 if _run(settings, app, listener) else CANNOT_START


def _be_worker(published: Published, listener: socket.socket) -> None:
    settings = read_settings({})
    if not _run(settings, _import_app().worker_app(settings, published), listener):
        sys.exit(CANNOT_START)


def _run(settings: Settings, app: ASGIApp, listener: socket.socket) -> bool:
    """Serve until interrupted; whether it got as far as serving."""
    from service.http.protocol import OneWriteProtocol  # late, as _import_app says

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=OneWriteProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=round(settings.deadline_s) + 1,
        )
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn has stopped by then
        server.run(sockets=[listener])
    return server.started


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
