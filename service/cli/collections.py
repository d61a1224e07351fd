"""`python -m service collections`: what there is."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from reports.progress import console
from service.cli.options import command_parser, parse
from service.cli.resources import open_library
from service.collections import CollectionSpec
from service.collections.data_folder import COLLECTIONS
from service.collections.errors import CollectionDamaged, UnknownCollection
from service.collections.storage.connections import Connections
from service.collections.storage.layout import size_bytes
from service.collections.storage.reads import counts

_WIDTH = 160  # where it goes to a file


class _CollectionRow(NamedTuple):
    spec: CollectionSpec
    items: int
    size_bytes: int


def main(arguments: Sequence[str]) -> int:
    """List the collections; 1 where one of them is damaged."""
    _, settings = parse(command_parser("collections"), arguments, ("data_dir",))
    folder, out = settings.data_dir / COLLECTIONS, console()
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("name", "model", "index", "metric", "images kept", "created"):
        table.add_column(title, no_wrap=True)
    for title in ("dimension", "items", "size"):
        table.add_column(title, no_wrap=True, justify="right")
    damaged = []
    with open_library(settings) as library:
        found = library.names()
    for name in found:
        try:
            _add(table, _look(folder / name))
        except CollectionDamaged as error:
            damaged.append(error)
        except UnknownCollection:  # deleted in between
            continue
    _show(out, folder, table)
    for fault in damaged:
        out.print(str(fault))
    return 1 if damaged else 0


def _look(folder: Path) -> _CollectionRow:
    with closing(Connections(folder)) as connections, connections.reading() as database:
        return _CollectionRow(connections.spec, counts(database)[1], size_bytes(folder))


def _add(table: Table, line: _CollectionRow) -> None:
    spec = line.spec
    table.add_row(
        spec.name,
        f"{spec.loss}/{spec.version}",
        spec.index,
        spec.metric,
        "yes" if spec.keep_images else "no",
        spec.created,
        str(spec.dimension),
        f"{line.items:,}",
        decimal(line.size_bytes),
    )


def _show(out: Console, folder: Path, table: Table) -> None:
    if not table.row_count:
        out.print(f"no collections in {folder}")
        return
    if not out.is_terminal:
        out.width = _WIDTH
    out.print(table)
