"""All collections of one data folder."""

from pathlib import Path

from service.collections.collection import Collection
from service.collections.values import CollectionSpec, OpenIndex


class Library:
    """One for each process, made after it was forked."""

    def __init__(self, folder: Path, open_index: OpenIndex) -> None:
        raise NotImplementedError

    def create(self, spec: CollectionSpec) -> tuple[Collection, bool]:
        """The collection of that spec, and whether this call made it. Raises CollectionDiffers."""
        raise NotImplementedError

    def get(self, name: str) -> Collection:
        """The collection of that name. Raises UnknownCollection."""
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        """What there is, sorted."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Delete a collection and its files. Raises UnknownCollection."""
        raise NotImplementedError

    def close(self) -> None:
        """Save the indexes and let go of the files."""
        raise NotImplementedError
