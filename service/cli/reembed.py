"""`python -m service reembed`: a collection's images, embedded by another model."""

import argparse
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event

from rich.console import Console

from models.bundle import Bundle
from models.interrupts import stop_on_interrupt
from models.store import Store
from reports.progress import console, showing
from service.cli import INTERRUPTED
from service.cli.errors import CannotReembed
from service.cli.options import command_parser, parse, whole
from service.cli.pool import making
from service.cli.reembed_job import ReembedJob, ReembedProgress, pages
from service.cli.resources import REEMBEDDED, model_sha256, open_library, open_successors
from service.cli.summary import GO_ON, printable
from service.collections import Collection, CollectionSpec, Library
from service.collections.data_folder import COLLECTIONS, drop_index
from service.collections.errors import CollectionDiffers, UnknownCollection
from service.collections.storage.swap import replacing
from service.errors import DistributedUnavailable, IndexUnavailable
from service.settings import Settings

_SETTINGS = ("data_dir", "registry", "device", "max_pixels")
_DETAILS = (
    "It is made from the images that were kept, beside the old one, which goes on being searched "
    "and written to; at the end it takes the old one's place. The same command goes on where it "
    "was interrupted."
)
_MOST_SHOWN = 20


def main(arguments: Sequence[str]) -> int:
    """Make the collection anew, and put it in the old one's place."""
    options, settings = parse(_parser(), arguments, _SETTINGS)
    out = console()
    with open_library(settings) as library, open_successors(settings) as successors:
        old = library.get(options.name)
        bundle = Store(settings.registry).load(options.loss or old.spec.loss, options.version)
        model = f"{bundle.manifest.name}/{bundle.manifest.version}"
        made_by = (old.spec.model_sha256, old.spec.precision)
        if made_by == (model_sha256(bundle), "float32"):
            out.print(f"collection {options.name} was made by {model} already")
            return 0
        status = _Reembedding(old, bundle, settings, options.drop_others).run(out, successors)
        if status == 0:
            out.print(f"collection {options.name} is now of {model}")
        return status


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("reembed", _DETAILS)
    parser.add_argument("name", metavar="NAME", help="the collection")
    parser.add_argument("--loss", help="the model (default: the collection's)")
    parser.add_argument(
        "--version", type=whole(10**9), metavar="N", help="its version (default: the newest)"
    )
    parser.add_argument(
        "--drop-others",
        action="store_true",
        help="leave out items that came as vectors, or whose images were not kept",
    )
    return parser


def _survey(collection: Collection) -> tuple[int, list[str]]:
    """Count the items, and find those without an image."""
    count, without = 0, []
    for items in pages(collection, 0):
        count += len(items)
        without += [item.id for item in items if not item.has_image]
    return count, without


@dataclass(frozen=True)
class _Reembedding:
    old: Collection
    bundle: Bundle
    settings: Settings
    drop_others: bool

    def run(self, out: Console, successors: Library) -> int:
        self.old.check_whole()  # else what is lost would be lost for good
        count, without = _survey(self.old)
        self._check(out, without, "have no image that was kept")
        place = ReembedProgress(
            self.settings.data_dir / REEMBEDDED / f"{self.old.spec.name}.place",
            self.old.spec.key,
        )
        new = _successor(successors, self._spec(), place)
        with making(self.bundle, self.settings, keep_images=True) as start:
            succession = ReembedJob(self.old, new, start, place)
            with stop_on_interrupt() as stop, showing(out, new.spec.name, count) as advance:
                if not succession.follow(stop, advance):
                    out.print(GO_ON)
                    return INTERRUPTED
            succession.prune()  # most of it, while nobody waits
            self._exchange(out, succession, successors)
        place.path.unlink(missing_ok=True)
        self._drop_index(out)
        return 0

    def _exchange(self, out: Console, succession: ReembedJob, successors: Library) -> None:
        name = self.old.spec.name
        with replacing(self.settings.data_dir / COLLECTIONS, name) as exchange:
            if not self.old.is_there():
                raise UnknownCollection(name, ())
            succession.follow(Event(), lambda _: None)  # what came meanwhile
            self._check(out, succession.prune(), "could not be embedded")
            succession.new.check_whole()
            successors.close()
            exchange(self.settings.data_dir / REEMBEDDED / name)

    def _drop_index(self, out: Console) -> None:
        try:
            drop_index(self.settings, self.old.spec)
        except (DistributedUnavailable, IndexUnavailable) as error:
            out.print(f"the old index stays where it is: {error}")

    def _check(self, out: Console, others: list[str], why: str) -> None:
        if not others or self.drop_others:
            return
        for id_ in others[:_MOST_SHOWN]:
            out.print(printable(id_))
        if len(others) > _MOST_SHOWN:
            out.print(f"and {len(others) - _MOST_SHOWN:,} more")
        raise CannotReembed(f"{len(others):,} items {why}; --drop-others leaves them out")

    def _spec(self) -> CollectionSpec:
        old = self.old.spec
        return CollectionSpec.new(
            old.name, self.bundle.manifest, index=old.index, keep_images=old.keep_images
        )


def _successor(successors: Library, spec: CollectionSpec, place: ReembedProgress) -> Collection:
    """Find the target of an interrupted run for the same collection and model."""
    if place.is_other():
        with suppress(UnknownCollection):
            successors.delete(spec.name)
    try:
        new, made = successors.create(spec)
    except CollectionDiffers:  # begun for another model
        successors.delete(spec.name)
        new, made = successors.create(spec)
    if made:
        place.path.unlink(missing_ok=True)
    return new
