"""`python -m service restore`: a collection from a snapshot."""

from collections.abc import Sequence
from pathlib import Path

from reports.progress import console
from service.cli.options import command_parser, parse
from service.cli.resources import open_library
from service.cli.summary import printable
from service.collections import restore
from service.collections.data_folder import COLLECTIONS
from service.collections.storage.backup import strays_of


def main(arguments: Sequence[str]) -> int:
    """Make a collection of a snapshot, whole or not at all."""
    parser = command_parser(
        "restore",
        "The file is compared with its sha256 and read whole first. A collection of that name must "
        "not be there. A service that runs meanwhile has it at once.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the snapshot; FILE.sha256 too")
    parser.add_argument(
        "--collection", required=True, metavar="NAME", help="what the collection will be called"
    )
    parser.add_argument(
        "--drop-others",
        action="store_true",
        help="leave out items that are beyond the limits of today, which a release before took",
    )
    options, settings = parse(parser, arguments, ("data_dir",))
    out = console()
    dropped = strays_of(options.file) if options.drop_others else []
    with open_library(settings):  # which first clears away what an interrupted one left
        spec = restore(
            options.file, settings.data_dir / COLLECTIONS, options.collection, leave_out=dropped
        )
    for stray in dropped:
        out.print(printable(f"left out: {stray.id}: {stray.problem}"))
    out.print(
        f"collection {spec.name} is there: {spec.loss}/{spec.version}, {spec.dimension} dimensions"
    )
    return 0
