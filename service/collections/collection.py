"""A collection: its items and the view that finds them."""

from collections.abc import Sequence
from pathlib import Path

from service.collections.values import (
    Backup,
    CollectionSpec,
    Facts,
    Hit,
    Item,
    NewItem,
    Page,
    Receipt,
    Search,
)
from service.index.protocol import Vectors


class Collection:
    """Every method may be called from any thread, and raises UnknownCollection once it is gone."""

    spec: CollectionSpec

    def put(self, items: Sequence[NewItem]) -> Receipt:
        """Add or replace items, all or none; they are durable when it returns."""
        raise NotImplementedError

    def has(self, ids: Sequence[str]) -> list[bool]:
        """For each id, whether there is an item."""
        raise NotImplementedError

    def get(self, id: str) -> Item:  # noqa: A002 - what it is
        """The item of that id. Raises UnknownItem."""
        raise NotImplementedError

    def image(self, id: str) -> bytes:  # noqa: A002
        """The image as it came. Raises UnknownItem and UnknownImage."""
        raise NotImplementedError

    def thumbnail(self, id: str) -> bytes:  # noqa: A002
        """Its JPEG thumbnail. Raises UnknownItem and UnknownImage."""
        raise NotImplementedError

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The stored vectors. Raises UnknownItem."""
        raise NotImplementedError

    def delete(self, id: str) -> int:  # noqa: A002
        """Delete an item; the collection's sequence after it. Raises UnknownItem."""
        raise NotImplementedError

    def page(self, after: int, limit: int) -> Page:
        """At most `limit` items with rows greater than `after`."""
        raise NotImplementedError

    def search(self, queries: Vectors, query: Search) -> list[list[Hit]]:
        """The nearest items of each query, nearest first."""
        raise NotImplementedError

    def facts(self) -> Facts:
        """How it stands."""
        raise NotImplementedError

    def backup(self, folder: Path) -> Backup:
        """Copy the items as they are now to one file in the folder."""
        raise NotImplementedError
