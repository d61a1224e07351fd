"""The collection that items go into: an existing one, or a new one."""

from dataclasses import asdict, dataclass

from models.manifest import Metric
from models.store import Store
from service.collections import Collection, CollectionSpec, Kind, Library
from service.collections.errors import UnknownCollection


@dataclass(frozen=True)
class CollectionOptions:
    """The options of a collection; an existing collection decides what is None."""

    name: str
    loss: str | None
    default_loss: str  # of a new one
    index: Kind | None
    metric: Metric | None
    keep_images: bool | None


def get_or_create(library: Library, options: CollectionOptions, store: Store) -> Collection:
    """Open the collection of that name, or make it.

    Raises CollectionDiffers where an existing one is not as asked for, InvalidCollectionName, and
    what opening a model raises.
    """
    try:
        collection = library.get(options.name)
    except UnknownCollection:
        bundle = store.load(options.loss or options.default_loss)
        spec = CollectionSpec.new(
            options.name,
            bundle.manifest,
            metric=options.metric,
            index=options.index or "auto",
            keep_images=options.keep_images is not False,
        )
        return library.create(spec)[0]
    collection.spec.require(
        {key: value for key, value in asdict(options).items() if value is not None}
    )
    return collection
