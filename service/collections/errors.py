"""The errors of collections. Facts only, as in `service.errors`."""

from pathlib import Path

from service.errors import ServiceError, StartError


class UnknownCollection(ServiceError):
    """No collection of that name."""

    def __init__(self, name: str, available: tuple[str, ...]) -> None:
        super().__init__(f"no collection {name!r}; available: {', '.join(available) or 'none'}")
        self.name = name
        self.available = available


class CollectionDiffers(ServiceError):
    """A collection of that name exists with other settings."""

    def __init__(self, name: str, differences: tuple[str, ...]) -> None:
        super().__init__(
            f"collection {name!r} exists and differs in {', '.join(differences)}; "
            "delete it first, or choose another name"
        )
        self.name = name
        self.differences = differences


class ModelMismatch(ServiceError):
    """Vectors of one model are asked of a collection that another model made."""

    def __init__(self, collection: str, made_by: str, given: str) -> None:
        super().__init__(
            f"collection {collection!r} was made by {made_by}, not by {given}; use that model, or "
            f"embed it anew with 'python -m service reembed {collection}'"
        )
        self.collection = collection
        self.made_by = made_by
        self.given = given


class TooManyItems(ServiceError):
    """One request holds more items or queries than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit:,} items in one request")
        self.limit = limit


class NoLabels(ServiceError):
    """No item of the collection has a label."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no item of collection {name!r} has a label; put items with `label`")
        self.name = name


class OneLabel(ServiceError):
    """All items that have a label have the same one."""

    def __init__(self, name: str, label: str) -> None:
        super().__init__(
            f"all labeled items of collection {name!r} are labeled {label!r}; labels can be judged "
            "where there are two at least"
        )
        self.name = name
        self.label = label


class TooLargeToAudit(ServiceError):
    """The collection has more items than one request compares with one another."""

    def __init__(self, name: str, items: int, limit: int) -> None:
        super().__init__(
            f"collection {name!r} has {items:,} items, and an audit compares {limit:,} at most; "
            "audit the folder that they come from: python -m training audit --data DIR"
        )
        self.name = name
        self.items = items
        self.limit = limit


class AuditBusy(ServiceError):
    """Another audit runs in this process."""

    def __init__(self, retry_after_s: int = 5) -> None:
        super().__init__("another audit is running here; ask again when it is done")
        self.retry_after_s = retry_after_s


class CollectionDamaged(ServiceError):
    """The collection's file cannot be read as what it must be."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"collection {name!r} is damaged: {reason}; restore it from a snapshot")
        self.name = name
        self.reason = reason


class UnknownImage(ServiceError):
    """The item was stored without that picture."""

    def __init__(self, collection: str, item_id: str, kind: str) -> None:
        super().__init__(f"item {item_id!r} of collection {collection!r} has no {kind}")
        self.collection = collection
        self.id = item_id
        self.kind = kind


class UnknownPlane(ServiceError):
    """The map of the collection in that layout is not there yet, or another one by now."""

    def __init__(self, collection: str, layout: str) -> None:
        super().__init__(
            f"collection {collection!r} has no such map in the layout {layout!r} now; ask "
            f"GET /collections/{collection}/map?layout={layout} for it"
        )
        self.collection = collection
        self.layout = layout


class InvalidCollectionName(ServiceError):
    """The name cannot be one of a collection."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"a collection cannot be named {name!r}: {reason}")
        self.name = name
        self.reason = reason


class CollectionBusy(ServiceError):
    """Other writers held the collection for too long; nothing of this request was written."""

    def __init__(self, name: str, retry_after_s: int = 1) -> None:
        super().__init__(f"collection {name!r} is busy with other writes")
        self.name = name
        self.retry_after_s = retry_after_s


class StorageFull(ServiceError):
    """The disk has no room; nothing of this request was written."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no room on the disk for collection {name!r}; this write was undone; "
            "free some, or give the service a larger DATA_DIR"
        )
        self.name = name


class StorageReadOnly(ServiceError):
    """The service cannot write to its data folder; what is in it can be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"collection {name!r} cannot be written: {reason}; nothing was written. Give the "
            "service's user a folder that it can write as DATA_DIR"
        )
        self.name = name
        self.reason = reason


class BackupRefused(StartError):
    """The copy of a collection cannot be restored."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} cannot be restored: {reason}")
        self.file = file
        self.reason = reason
