"""The grammar that all commands share."""

import argparse
from collections.abc import Callable, Sequence

from service.cli import COMMANDS
from service.settings import Settings, flag, read_settings


def command_parser(name: str, details: str = "") -> argparse.ArgumentParser:
    """A parser that introduces itself as `python -m service NAME`."""
    summary = COMMANDS[name]
    return argparse.ArgumentParser(
        prog=f"python -m service {name}",
        description=f"{summary[0].upper()}{summary[1:]}. {details}".strip(),
        allow_abbrev=False,
    )


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str], settings: Sequence[str]
) -> tuple[argparse.Namespace, Settings]:
    """The command's own options, and the settings of which it takes these as flags.

    Raises InvalidSettings.
    """
    group = parser.add_argument_group("settings, each also an environment variable LOSSATLAS_*")
    for name in settings:
        field = Settings.model_fields[name]
        default = "" if field.default is None else f" (default {field.default})"
        group.add_argument(
            flag(name), metavar="X", dest=f"setting {name}", help=f"{field.description}{default}"
        )
    options = parser.parse_args(arguments)
    values = {name: getattr(options, f"setting {name}") for name in settings}
    return options, read_settings({name: one for name, one in values.items() if one is not None})


def whole(most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from 1 to `most`, for argparse."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = 0
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from 1 to {most:,} (got {text!r})"
            )
        return number

    return read
