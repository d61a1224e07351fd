"""Collections: items that people put, durable in SQLite, and the indexes that find them."""

from service.collections.collection import Collection
from service.collections.evaluations import Evaluations
from service.collections.items import (
    Backup,
    CollectionState,
    DropIndex,
    DroppableIndex,
    Item,
    MaintainedIndex,
    Metadata,
    NewItem,
    OpenIndex,
    Page,
    Receipt,
    SearchHit,
)
from service.collections.library import Library
from service.collections.spec import CollectionSpec
from service.collections.storage.backup import restore
from service.vectors.kinds import Kind

__all__ = [
    "Backup",
    "Collection",
    "CollectionSpec",
    "CollectionState",
    "DropIndex",
    "DroppableIndex",
    "Evaluations",
    "Item",
    "Kind",
    "Library",
    "MaintainedIndex",
    "Metadata",
    "NewItem",
    "OpenIndex",
    "Page",
    "Receipt",
    "SearchHit",
    "restore",
]
