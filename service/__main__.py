"""`python -m service`: read the settings, take the port, serve."""

import argparse
import contextlib
import os
import socket
import sys
from collections.abc import Sequence

import structlog

from models.version import VERSION
from service.cli import COMMANDS, run
from service.errors import StartError
from service.logs import configure_logs
from service.machine.folders import shared_folder
from service.machine.open_files import raise_limit
from service.processes.sockets import listen, port_of
from service.processes.supervisor import supervise
from service.processes.workers import PROMETHEUS_DIR
from service.settings import Settings, flag, read_settings, to_environment
from service.startup.checks import check, count_workers
from service.startup.precision import settle_precision
from service.startup.serve import care, serve_alone

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
        precision = settle_precision(settings)
        settings = settings.model_copy(update={"workers": workers, "precision": precision})
        listeners = listen(settings, workers)
    except StartError as error:
        print(f"python -m service: {error}", file=sys.stderr)  # noqa: T201 - no log yet
        return 2
    raise_limit()
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
    parser.add_argument("--version", action="version", version=f"LossAtlas {VERSION}")
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
        return serve_alone(settings, listeners[0])
    with shared_folder(settings.data_dir) as shared:
        os.environ.update(to_environment(settings), **{PROMETHEUS_DIR: str(shared)})
        return supervise(care(settings, listeners[0], shared), listeners)


if __name__ == "__main__":
    sys.exit(main())
