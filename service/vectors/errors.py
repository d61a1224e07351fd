"""The errors of a search, in a collection as in a gallery."""

from service.errors import ServiceError


class UnknownItem(ServiceError):
    """The collection has no item of that id."""

    def __init__(self, collection: str, item_id: str) -> None:
        super().__init__(f"collection {collection!r} has no item {item_id!r}")
        self.collection = collection
        self.id = item_id


class InvalidItems(ServiceError):
    """Some items or vectors of the request cannot be taken; none was."""

    def __init__(self, indexes: tuple[int, ...], reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(f"item {i}: {r}" for i, r in zip(indexes, reasons, strict=True)))
        self.index = indexes[0]
        self.indexes = indexes


class InvalidFilter(ServiceError):
    """The metadata filter is not one."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"filter: {reason}")
        self.reason = reason
