"""The collection that items go into: an existing one, or a new one."""

from dataclasses import asdict, dataclass

from models.manifest import Metric
from models.store import Store
from service.collections import Collection, CollectionSpec, Kind, Library
from service.collections.errors import CollectionDiffers, UnknownCollection


@dataclass(frozen=True)
class CollectionOptions:
    """The options of a collection; an existing collection decides what is None."""

    name: str
    loss: str | None
    default_loss: str  # of a new one
    index: Kind | None
    metric: Metric | None
    keep_images: bool | None


def find_or_make(library: Library, wish: CollectionOptions, store: Store) -> Collection:
    """Open the collection of that name, or make it.

    Raises CollectionDiffers where an existing one is not as wished, InvalidCollectionName, and
    what opening a model raises.
    """
    try:
        collection = library.get(wish.name)
    except UnknownCollection:
        bundle = store.load(wish.loss or wish.default_loss)
        spec = CollectionSpec.new(
            wish.name,
            bundle.manifest,
            metric=wish.metric,
            index=wish.index or "auto",
            keep_images=wish.keep_images is not False,
        )
        return library.create(spec)[0]
    wished = {name: value for name, value in asdict(wish).items() if value is not None}
    if differences := collection.spec.differences(wished):
        raise CollectionDiffers(wish.name, differences)
    return collection
