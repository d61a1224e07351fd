"""The collection that items go into: the one that is there, or a new one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from models.bundle import Bundle
from models.manifest import Metric
from models.store import Store
from service.cli.resources import model_sha256
from service.collections import Collection, CollectionSpec, Kind, Library
from service.collections.errors import CollectionDiffers, UnknownCollection


@dataclass(frozen=True)
class Wish:
    """The options of a collection; an existing collection decides what is None."""

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
    if differences := tuple(_differences(wish, collection.spec)):
        raise CollectionDiffers(wish.name, differences)
    return collection


def _differences(wish: Wish, there: CollectionSpec) -> Iterator[str]:
    for name in ("loss", "index", "metric", "keep_images"):
        wished, found = getattr(wish, name), getattr(there, name)
        if wished is not None and wished != found:
            yield f"{name} ({found!r}, not {wished!r})"


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
        keep_images=wish.keep_images is not False,
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
    )
