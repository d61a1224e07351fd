"""The collection that items go into: the one that is there, or a new one."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models.bundle import Bundle
from models.manifest import Metric
from models.store import Store
from service.collections import Collection, CollectionSpec, Kind, Library
from service.commands.opening import model_sha256
from service.errors import CollectionDiffers, UnknownCollection


@dataclass(frozen=True)
class Wish:
    """What is asked of a collection; what is none is left to the one that is there."""

    name: str
    loss: str | None
    default_loss: str  # of a new one
    index: Kind | None
    metric: Metric | None
    keep_images: bool | None


def find_or_make(library: Library, wish: Wish, store: Store) -> Collection:
    """The collection of that name, which is made if it is not there.

    Raises CollectionDiffers where one is there that is not as wished, InvalidCollectionName, and
    what opening a model raises.
    """
    try:
        collection = library.get(wish.name)
    except UnknownCollection:
        bundle = store.load(wish.loss or wish.default_loss)
        return library.create(_new(wish, bundle))[0]
    asked = ("loss", "index", "metric", "keep_images")
    wishes = ((name, getattr(wish, name)) for name in asked)
    there = collection.spec
    differences = [k for k, v in wishes if v is not None and v != getattr(there, k)]
    if differences:
        raise CollectionDiffers(wish.name, tuple(differences))
    return collection


def _new(wish: Wish, bundle: Bundle) -> CollectionSpec:
    manifest = bundle.manifest
    return CollectionSpec(
        name=wish.name,
        loss=manifest.name,
        version=manifest.version,
        model_sha256=model_sha256(bundle),
        metric=wish.metric or manifest.metric,
        dimension=manifest.dimension,
        index=wish.index or "auto",
        keep_images=bool(wish.keep_images),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
