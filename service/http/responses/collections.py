"""Answers of the routes of collections; the same models document them in OpenAPI."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from models.manifest import Metric, Precision
from service.collections import Backup, CollectionState, Item, Kind, Receipt
from service.http.requests.addresses import item_address
from service.http.responses.schemas import Schema


class CollectionDetail(Schema):
    """One collection and how it stands."""

    name: str
    loss: str = Field(description="the model whose vectors it holds, by name")
    version: int
    model_sha256: str = Field(description="of that model's model.onnx")
    precision: Precision = Field(description="of the model's graph that made its vectors")
    metric: Metric
    dimension: int
    index: Kind = Field(description="as it was asked for")
    index_in_use: str = Field(description="what answers in this process now")
    keep_images: bool
    items: int
    sequence: int = Field(description="counts every item put and every deletion")
    indexed_sequence: int = Field(
        description="what this process's index reflects; a search brings it up to `sequence` first"
    )
    size_bytes: int = Field(description="of all its files")
    created: str = Field(description="ISO 8601, UTC")


class UnavailableCollection(Schema):
    """A collection that cannot be described now."""

    name: str
    code: str = Field(description="of the problem that a request for it gets")
    reason: str


class CollectionList(Schema):
    """Every collection, sorted by name."""

    collections: list[CollectionDetail]
    unavailable: list[UnavailableCollection]


class StoredItem(Schema):
    """One item."""

    id: str
    label: str | None
    metadata: dict[str, Any]
    thumbnail: str | None = Field(description="address of a small JPEG, where it is an image")
    image: str | None = Field(description="address of the image as it was sent, where it was kept")


class ItemDetail(StoredItem):
    """One item, and its vector where that is asked for."""

    vector: list[float] | None = None


class ItemPage(Schema):
    """Some items, in the order in which they were put."""

    items: list[StoredItem]
    next: int | None = Field(description="`after` of the next page; null where this is the last")


class PutItem(Schema):
    """One item that is durable."""

    id: str
    replaced: bool = Field(description="whether an item of that id was there before")


class ItemsReceipt(Schema):
    """A batch that is durable, items in order."""

    collection: str
    sequence: int = Field(description="of the collection, with this batch in it")
    items: list[PutItem]


class Removal(Schema):
    """An item that is gone."""

    collection: str
    id: str
    sequence: int = Field(description="of the collection, with this deletion in it")


class Relabeled(Schema):
    """An item that has another label."""

    collection: str
    id: str
    label: str | None
    sequence: int = Field(description="of the collection, with this change in it")


class Copied(Schema):
    """Items that were copied from another collection."""

    collection: str
    source: str
    sequence: int = Field(description="of the collection, with these items in it")
    items: int = Field(description="how many were copied")
    replaced: int = Field(description="how many of them took the place of an item of their id")


class Snapshot(Schema):
    """A copy of the collection on the service's disk."""

    file: str = Field(description="below the service's folder; with a .sha256 beside it")
    sequence: int
    items: int
    size_bytes: int
    sha256: str
    restore: str = Field(description="the command that makes a collection of it")


def show_collection(facts: CollectionState) -> CollectionDetail:
    """Describe a collection."""
    return CollectionDetail(
        **facts.spec.choices,
        precision=facts.spec.precision,
        created=facts.spec.created,
        index_in_use=facts.kind_in_use,
        items=facts.items,
        sequence=facts.sequence,
        indexed_sequence=facts.indexed_sequence,
        size_bytes=facts.size_bytes,
    )


def show_item(collection: str, item: Item) -> dict[str, Any]:
    """Describe an item."""
    shown = {"id": item.id, "label": item.label, "metadata": item.metadata}
    return shown | {
        "thumbnail": thumbnail_address(collection, item),
        "image": item_address(collection, "image", item.id) if item.has_image else None,
    }


def thumbnail_address(collection: str, item: Item) -> str | None:
    """Return the address of the item's thumbnail; None where it has none."""
    return item_address(collection, "thumbnail", item.id) if item.has_thumbnail else None


def show_receipt(collection: str, ids: Sequence[str], receipt: Receipt) -> dict[str, Any]:
    """Describe a batch that is durable."""
    stored = zip(ids, receipt.replaced, strict=True)
    items = [{"id": each, "replaced": replaced} for each, replaced in stored]
    return {"collection": collection, "sequence": receipt.sequence, "items": items}


def show_backup(collection: str, backup: Backup) -> Snapshot:
    """Describe a snapshot."""
    return Snapshot(
        file=str(backup.path),
        sequence=backup.sequence,
        items=backup.items,
        size_bytes=backup.size_bytes,
        sha256=backup.sha256,
        restore=f"python -m service restore {backup.path} --collection {collection}",
    )
