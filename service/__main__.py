"""`python -m service`: read the settings, take the port, serve."""

import argparse
import contextlib
import gc
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType

import structlog
import uvicorn

from models.store import Store
from service.errors import AddressTaken, RegistryEmpty, StartError
from service.http.protocol import OneWriteProtocol
from service.http.tracing import require_tracing
from service.logs import configure_logs
from service.settings import Settings, flag, read_settings, to_environment
from service.workers import SHARED, default_workers, supervise

# At Python's own 700, collecting takes a twentieth of what a small request does (measured).
_GC_THRESHOLD = 5000

log = structlog.get_logger("service")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 where it cannot start, with one line that says why."""
    flags = _parse(arguments)
    try:
        settings = read_settings(flags)
        configure_logs(settings.log_format)
        _check_registry(settings)
        _check_device(settings)
        if settings.tracing == "otlp":
            require_tracing()
        listener = _listen(settings)
    except StartError as error:
        print(f"python -m service: {error}", file=sys.stderr)  # noqa: T201 - no log yet
        return 2
    with listener:
        return _serve(settings, listener)


def _parse(arguments: Sequence[str] | None) -> dict[str, str]:
    parser = argparse.ArgumentParser(
        prog="python -m service",
        description="Serve the published models over HTTP.",
        epilog="Each flag is also an environment variable: --max-images is LOSSATLAS_MAX_IMAGES.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f" (default {field.default})"
        parser.add_argument(flag(name), metavar="X", help=f"{field.description}{default}")
    return dict(vars(parser.parse_args(arguments)))


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


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise AddressTaken(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; choose another "
            f"with {flag('host')} and {flag('port')}"
        ) from None
    listener.set_inheritable(True)
    return listener


def _serve(settings: Settings, listener: socket.socket) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{listener.getsockname()[1]}"
    workers = settings.workers or default_workers(settings.device)
    settings = settings.model_copy(update={"workers": workers})
    log.info("listening", address=address, docs=f"{address}/docs", workers=workers)
    if workers == 1:
        return _serve_alone(settings, listener)
    with tempfile.TemporaryDirectory(prefix="lossatlas-workers-") as shared:
        os.environ.update(to_environment(settings), **{SHARED: shared})
        app = _import_app()
        supervise(_config(settings, app.worker_app), listener)
    return 0


def _serve_alone(settings: Settings, listener: socket.socket) -> int:
    server = uvicorn.Server(_config(settings, _import_app().create_app(settings)))
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn has stopped by then
        server.run(sockets=[listener])
    return 0 if server.started else 3


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


def _config(settings: Settings, app: Callable[..., object]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=settings.workers != 1,
        http=OneWriteProtocol,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.deadline_s) + 1,
    )


if __name__ == "__main__":
    sys.exit(main())
