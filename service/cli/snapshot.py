"""`python -m service snapshot`: a collection in one file."""

from collections.abc import Sequence
from pathlib import Path

from reports.progress import console
from service.cli.options import command_parser, parse
from service.cli.resources import open_library
from service.collections.data_folder import SNAPSHOTS


def main(arguments: Sequence[str]) -> int:
    """Copy a collection's items, as they are at one moment."""
    parser = command_parser(
        "snapshot",
        "The copy is read whole before it counts: a damaged collection gives none. Its sha256 is "
        "written beside it, as sha256sum has it. Services go on reading and writing meanwhile.",
    )
    parser.add_argument("name", metavar="NAME", help="the collection")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help="the file, whose older content is replaced (default: NAME-SEQUENCE.sqlite in the "
        "folder snapshots of the data folder, where nothing is replaced)",
    )
    options, settings = parse(parser, arguments, ("data_dir",))
    with open_library(settings) as library:
        collection = library.get(options.name)
        if options.to is None:
            backup = collection.backup(settings.data_dir / SNAPSHOTS)
        else:
            backup = collection.backup_to(options.to)
    console().print(
        f"{backup.path}: {backup.items:,} items, {backup.size_bytes:,} bytes, "
        f"sha256 {backup.sha256}"
    )
    return 0
