"""Collections: items that people put, durable in SQLite, and the indexes that find them."""

from service.collections.backup import restore
from service.collections.collection import Collection
from service.collections.library import Library
from service.collections.values import (
    Backup,
    CollectionSpec,
    DropIndex,
    Droppable,
    Facts,
    Hit,
    Item,
    Maintained,
    Metadata,
    NewItem,
    OpenIndex,
    Page,
    Receipt,
)
from service.index.kinds import Kind

__all__ = [
    "Backup",
    "Collection",
    "CollectionSpec",
    "DropIndex",
    "Droppable",
    "Facts",
    "Hit",
    "Item",
    "Kind",
    "Library",
    "Maintained",
    "Metadata",
    "NewItem",
    "OpenIndex",
    "Page",
    "Receipt",
    "restore",
]
