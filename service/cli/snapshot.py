"""`python -m service snapshot`: a collection in one file."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from reports.progress import console
from service.cli.options import command_parser, parse
from service.cli.resources import open_library
from service.collections import Backup, Collection
from service.collections.data_folder import SNAPSHOTS
from service.collections.storage.backup import place


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
            path = backup.path
        else:
            backup, path = _copy_to(collection, options.to), options.to
    console().print(
        f"{path}: {backup.items:,} items, {backup.size_bytes:,} bytes, sha256 {backup.sha256}"
    )
    return 0


def _copy_to(collection: Collection, file: Path) -> Backup:
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".snapshot-", dir=file.parent) as folder:
        backup = collection.backup(Path(folder))
        place(backup.path, file, backup.sha256)
    return backup
