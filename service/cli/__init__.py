"""Commands of `python -m service` besides serving: one module for each."""

import sys
from collections.abc import Sequence
from importlib import import_module

from models.errors import ModelsError
from service.errors import ServiceError, StartError

COMMANDS = {
    "index": "put a folder of images, or a Parquet file of vectors, into a collection",
    "collections": "list the collections",
    "snapshot": "copy a collection to one file while it is in use",
    "restore": "make a collection from such a file",
    "reembed": "embed a collection's images anew, by another model",
}
INTERRUPTED = 130  # as shells have it


def run(name: str, arguments: Sequence[str]) -> int:
    """Do one of COMMANDS; 2 with one line on what to fix, where it cannot be done."""
    try:
        return int(import_module(f"service.cli.{name}").main(arguments))
    except (ServiceError, StartError, ModelsError, OSError) as error:
        print(f"python -m service {name}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
