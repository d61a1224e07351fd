"""A collection that becomes like another one, embedded by another model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from models.atomic import replacing
from reports.progress import Advance
from service.cli.ingest import Ingest
from service.cli.sources.base import Start
from service.cli.sources.folder import ImageFile
from service.collections import Collection, Item

_AT_ONCE = 1024  # items of one transaction
_PAGE = 10_000  # items that are looked through at a time


@dataclass(frozen=True)
class ReembedProgress:
    """The position in the old collection: a file, so that an interrupted run resumes."""

    path: Path
    source: str  # tells the old collection from one that was made anew under its name

    def row(self) -> int:
        """All items up to this row are done."""
        return int(self._lines()[1])

    def is_other(self) -> bool:
        """Return whether the position belongs to another collection."""
        return self._lines()[0] != self.source

    def move(self, row: int) -> None:
        """Note that all items up to this row are done."""
        with replacing(self.path) as temporary:
            temporary.write_text(f"{self.source}\n{row}\n")

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text().splitlines()
        except FileNotFoundError:
            return [self.source, "0"]


@dataclass(frozen=True)
class ReembedJob:
    """Brings the items of one collection into another."""

    old: Collection
    new: Collection
    start: Start[ImageFile]
    place: ReembedProgress

    def follow(self, stop: Event, advance: Advance) -> bool:
        """Embed what the old collection has that is new; False where it was stopped before."""
        into = Ingest(self.new, self.start, replace=True)
        for items in pages(self.old, self.place.row(), _AT_ONCE):
            pictures = [self._picture(item) for item in items if item.has_image]
            tally = into.run([pictures], stop, _ignore)
            self.place.move(items[-1].row)
            advance(len(items))
            if tally.stopped:
                return False
        return True

    def prune(self) -> list[str]:
        """Delete what the old collection no longer has; the ids that only the old one has."""
        old, new = _ids(self.old), _ids(self.new)
        for id_ in new - old:
            self.new.delete(id_)
        return sorted(old - new)

    def _picture(self, item: Item) -> ImageFile:
        return ImageFile(item.id, partial(self.old.image, item.id), item.label, item.metadata)


def pages(collection: Collection, after: int, size: int = _PAGE) -> Iterator[Sequence[Item]]:
    """The items of rows greater than `after`, and what is put meanwhile."""
    row: int | None = after
    while row is not None:
        page = collection.page(row, size)
        if page.items:
            yield page.items
        row = page.next


def _ids(collection: Collection) -> set[str]:
    return {item.id for items in pages(collection, 0) for item in items}


def _ignore(_done: int) -> None:
    pass
