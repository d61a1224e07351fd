"""The values of a collection: its input, its output, and its demands on an index."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from service.collections.spec import CollectionSpec
from service.vectors.protocol import Rows, VectorIndex, Vectors

Metadata = dict[str, str | int | float | bool | None]


@dataclass(frozen=True)
class NewItem:
    """One item to put; it replaces the item of the same id."""

    id: str
    vector: Float32[np.ndarray, " d"]
    label: str | None = None
    metadata: Metadata = field(default_factory=dict)
    image: bytes | None = None  # the encoded file as it came
    thumbnail: bytes | None = None  # a JPEG


@dataclass(frozen=True)
class Item:
    """A stored item."""

    row: int
    id: str
    label: str | None
    metadata: Metadata
    has_thumbnail: bool
    has_image: bool


@dataclass(frozen=True)
class SearchHit:
    """A neighbor; a higher score is nearer."""

    item: Item
    score: float


@dataclass(frozen=True)
class Page:
    """Some items in the order in which they were put."""

    items: tuple[Item, ...]
    next: int | None  # the next page is after this row; none where this page is the last


@dataclass(frozen=True)
class Receipt:
    """A batch that is durable."""

    sequence: int  # of the collection, with this batch in it
    replaced: tuple[bool, ...]  # for each item, whether its id was there before it


@dataclass(frozen=True)
class Labeled:
    """The items that have a label: all, or a sample of them."""

    sequence: int  # of the collection
    total: int  # with a label
    unlabeled: int
    vectors: Vectors
    labels: Int64[np.ndarray, " n"]  # indexes into `names`
    names: tuple[str, ...]


@dataclass(frozen=True)
class CollectionState:
    """The state of a collection."""

    spec: CollectionSpec
    items: int
    sequence: int
    kind_in_use: str
    indexed_sequence: int  # what this process's index reflects
    size_bytes: int  # of all its files


@dataclass(frozen=True)
class Backup:
    """A copy of a collection's items, with `<path>.sha256` beside it."""

    path: Path
    sequence: int
    items: int
    size_bytes: int
    sha256: str


@runtime_checkable
class MaintainedIndex(Protocol):
    """The optional side of a VectorIndex: upkeep, and a copy saved beside the items."""

    @property
    def kind_in_use(self) -> str:
        """The kind that answers now, where the user left it to the size."""
        ...

    def maintain(self) -> bool:
        """Build or rebuild what is due, until it is built or the index closed; whether it did."""
        ...

    def save(self, folder: Path, sequence: int, model_sha256: str) -> None:
        """Write the index atomically: what reflects `sequence`, and perhaps later changes.

        Such changes are then added and removed once more by who loads it.
        """
        ...


@runtime_checkable
class DroppableIndex(Protocol):
    """A VectorIndex may keep its rows elsewhere, such as in an engine that many share."""

    def drop(self) -> None:
        """Delete them, because the collection was deleted; `close` comes after it."""
        ...


# The index of a collection, from the folder where it was saved, and the sequence that it reflects;
# the function gives the stored vectors of rows that are there.
OpenIndex = Callable[[CollectionSpec, Path, Callable[[Rows], Vectors]], tuple[VectorIndex, int]]

# Deletes what the index of a deleted collection keeps outside the collection's folder.
DropIndex = Callable[[CollectionSpec], None]
