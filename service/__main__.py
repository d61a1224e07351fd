"""`python -m service`: read the settings, take the port, serve."""

import argparse
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Sequence

import structlog
import uvicorn
from uvicorn.supervisors import Multiprocess

from models.store import Store
from service.device import choose_provider
from service.errors import AddressTaken, RegistryEmpty, StartError
from service.http.app import create_app
from service.http.metrics import SHARED
from service.http.protocol import OneWriteProtocol
from service.http.tracing import require_tracing
from service.logs import configure_logs
from service.settings import Settings, flag, read_settings, to_environment

log = structlog.get_logger("service")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 where it cannot start, with one line that says why."""
    flags = _parse(arguments)
    try:
        settings = read_settings(flags)
        configure_logs(settings.log_format)
        _check_registry(settings)
        if settings.device in ("cuda", "tensorrt"):
            choose_provider(settings.device)
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
    log.info("listening", address=address, docs=f"{address}/docs", workers=settings.workers)
    if settings.workers == 1:
        server = uvicorn.Server(_config(settings, create_app(settings)))
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has stopped by then
            server.run(sockets=[listener])
        return 0 if server.started else 3
    with tempfile.TemporaryDirectory(prefix="lossatlas-metrics-") as shared:
        os.environ.update(to_environment(settings), **{SHARED: shared})
        Multiprocess(_config(settings, "service.http.app:worker_app"), sockets=[listener]).run()
    return 0


def _config(settings: Settings, app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=isinstance(app, str),
        http=OneWriteProtocol,
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.deadline_s) + 1,
    )


if __name__ == "__main__":
    sys.exit(main())
