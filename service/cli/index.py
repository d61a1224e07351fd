"""`python -m service index`: a folder of images or a Parquet file into a collection."""

import argparse
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import get_args

from rich.console import Console

from models.interrupts import stop_on_interrupt
from models.manifest import Metric
from models.store import Store
from reports.progress import console, showing
from service.cli.errors import UnusableFile
from service.cli.ingest import Ingest
from service.cli.options import command_parser, parse, whole
from service.cli.pool import making
from service.cli.resources import model_of, open_library
from service.cli.sources.base import T
from service.cli.sources.folder import find_pictures
from service.cli.sources.parquet import open_vectors, start_rows
from service.cli.summary import print_summary, tell_passed
from service.cli.target import CollectionOptions, get_or_create
from service.collections import Kind, Library
from service.settings import Settings

_SETTINGS = ("data_dir", "registry", "default_loss", "device", "max_pixels")
_DETAILS = (
    "The collection is made if it does not exist. Items that exist are skipped, so that the "
    "same command goes on where it was interrupted. A service that runs meanwhile finds the items "
    "as they come. Exit status: 0; 1 where some items could not be taken; 2 where nothing could be "
    "done; 130 where it was interrupted."
)
_IMAGES, _VECTORS = 256, 1000  # in a batch, unless something else is asked for


def main(arguments: Sequence[str]) -> int:
    """Put what PATH holds into the collection."""
    options, settings = parse(_parser(), arguments, _SETTINGS)
    path: Path = options.path
    if not path.exists():
        raise UnusableFile(path, "there is no such file or folder")
    with open_library(settings) as library:
        if path.is_dir():
            return _index_folder(options, settings, library)
        return _index_vectors([path], options, settings, library)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("index", _DETAILS)
    add = parser.add_argument
    add(
        "path",
        type=Path,
        metavar="PATH",
        help="a folder, of which every image is taken, its path inside the folder being its id; or "
        "a Parquet file, or a folder of them, with the columns id and vector, perhaps label, and "
        "others for metadata",
    )
    add("--collection", required=True, metavar="NAME", help="the collection that gets the items")
    add("--loss", help="the model; by default the collection's, or the default model for a new one")
    add(
        "--label-from",
        choices=("folder", "none"),
        default="folder",
        help="an image's label: the name of the folder that it lies in, unless that is PATH itself "
        "(default), or none",
    )
    add(
        "--batch",
        type=whole(10_000),
        metavar="N",
        help="items in one transaction (default 256 or 1000)",
    )
    add("--replace", action="store_true", help="take items again that exist already")
    made = parser.add_argument_group("for a collection that is made now")
    made.add_argument("--index", choices=get_args(Kind), help="the index (default auto)")
    made.add_argument("--metric", choices=get_args(Metric), help="default: the model's")
    made.add_argument(
        "--keep-images",
        action=argparse.BooleanOptionalAction,
        help="keep the images themselves too, which `reembed` needs (default), or not",
    )
    return parser


def _index_folder(options: argparse.Namespace, settings: Settings, library: Library) -> int:
    out, folder = console(), options.path
    found = find_pictures(folder, labeled=options.label_from == "folder")
    if not found.pictures and (files := sorted(folder.glob("*.parquet"))):
        return _index_vectors(files, options, settings, library)
    if not found.pictures:
        raise UnusableFile(folder, "the folder must have an image in it")
    tell_passed(out, found.passed)
    collection = get_or_create(
        library, _collection_options(options, settings), Store(settings.registry)
    )
    bundle = model_of(collection, Store(settings.registry))
    size = options.batch or _IMAGES
    pictures = found.pictures
    batches = (pictures[i : i + size] for i in range(0, len(pictures), size))
    with making(bundle, settings, keep_images=collection.spec.keep_images) as start:
        into = Ingest(collection, start, options.replace)
        return _run(out, into, batches, len(pictures))


def _index_vectors(
    paths: Sequence[Path], options: argparse.Namespace, settings: Settings, library: Library
) -> int:
    out = console()
    files = [open_vectors(path) for path in paths]
    if left_out := dict.fromkeys(name for file in files for name in file.left_out):
        columns = ", ".join(left_out)
        out.print(f"passed over, since their values cannot be metadata: {columns}")
    collection = get_or_create(
        library, _collection_options(options, settings), Store(settings.registry)
    )
    into = Ingest(collection, start_rows, options.replace)
    batches = chain.from_iterable(file.batches(options.batch or _VECTORS) for file in files)
    return _run(out, into, batches, sum(file.rows for file in files))


def _collection_options(options: argparse.Namespace, settings: Settings) -> CollectionOptions:
    return CollectionOptions(
        options.collection,
        options.loss,
        settings.default_loss,
        options.index,
        options.metric,
        options.keep_images,
    )


def _run(out: Console, into: Ingest[T], batches: Iterable[Sequence[T]], total: int) -> int:
    name = into.collection.spec.name
    with stop_on_interrupt() as stop, showing(out, name, total) as advance:
        tally = into.run(batches, stop, advance)
    return print_summary(out, tally, name)
