"""The target of a neighbor search: a model's gallery, or a collection."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any

from models.manifest import Metric
from service.collections import Collection, SearchHit
from service.collections.errors import UnknownCollection
from service.errors import MalformedBody
from service.http.responses.answers import neighbor_items
from service.http.responses.collections import thumbnail_address
from service.http.routes.model_binding import check_hash, check_model, engine_of
from service.http.state import Services
from service.inference.engine import Engine
from service.inference.gallery import COLLECTION
from service.vectors.protocol import Vectors
from service.vectors.query import Search


class SearchTarget(ABC):
    """Vectors of one model, and what each stands for."""

    def __init__(self, names: dict[str, Any], dimension: int, metric: Metric) -> None:
        self.names = names  # the members `loss`, `version`, `precision`, `collection`
        self.dimension = dimension
        self.metric = metric

    @abstractmethod
    def check_hash(self, model_sha256: str | None) -> None:
        """Raise where a client's vectors are of a model of another hash."""

    @abstractmethod
    async def engine(self) -> Engine:
        """Return the engine that makes such vectors of images."""

    @abstractmethod
    async def vectors(self, ids: Sequence[str]) -> Vectors:
        """Those of items. Raises UnknownItem."""

    @abstractmethod
    async def search(self, queries: Vectors, query: Search) -> list[list[dict[str, Any]]]:
        """Return the hits of each query, as they are shown."""


class GalleryTarget(SearchTarget):
    """The gallery that ships with a model; its items have no metadata."""

    def __init__(self, engine: Engine) -> None:
        manifest = engine.manifest
        names = {
            "loss": manifest.name,
            "version": manifest.version,
            "precision": engine.precision,
            "collection": COLLECTION,
        }
        super().__init__(names, manifest.dimension, manifest.metric)
        self._engine = engine

    def check_hash(self, model_sha256: str | None) -> None:
        """Raise MalformedBody where a client's vectors are of a model of another hash."""
        if model_sha256 not in (None, self._engine.model_sha256):
            raise MalformedBody("model_sha256: the gallery is of a model of another hash")

    async def engine(self) -> Engine:
        """The model."""
        return self._engine

    async def vectors(self, ids: Sequence[str]) -> Vectors:
        """Those of its items. Raises UnknownItem."""
        return self._engine.gallery.vectors(ids)

    async def search(self, queries: Vectors, query: Search) -> list[list[dict[str, Any]]]:
        """The hits of each query."""
        found = await self._engine.neighbors(queries, query)
        rows = [neighbor_items(self._engine, near) for near in found]
        return [[{**item, "metadata": {}} for item in near] for near in rows]


class CollectionTarget(SearchTarget):
    """A collection."""

    def __init__(self, collection: Collection, parts: Services) -> None:
        spec = collection.spec
        names = {
            "loss": spec.loss,
            "version": spec.version,
            "precision": spec.precision,
            "collection": spec.name,
        }
        super().__init__(names, spec.dimension, spec.metric)
        self._collection = collection
        self._parts = parts

    def check_hash(self, model_sha256: str | None) -> None:
        """Raise ModelMismatch where a client's vectors are of a model of another hash."""
        check_hash(self._collection.spec, model_sha256)

    async def engine(self) -> Engine:
        """The collection's model. Raises ModelMismatch."""
        return await engine_of(self._parts.catalog, self._collection.spec)

    async def vectors(self, ids: Sequence[str]) -> Vectors:
        """Those of its items. Raises UnknownItem."""
        return await self._parts.threads.read(partial(self._collection.vectors, ids))

    async def search(self, queries: Vectors, query: Search) -> list[list[dict[str, Any]]]:
        """The hits of each query."""
        return await self._parts.threads.read(partial(self._search, queries, query))

    def _search(self, queries: Vectors, query: Search) -> list[list[dict[str, Any]]]:
        started = perf_counter()
        found = self._collection.search(queries, query)
        self._parts.metrics.observe_search(perf_counter() - started)
        name = self._collection.spec.name
        return [[_as_json(name, hit) for hit in near] for near in found]


async def target_of(
    parts: Services, name: str, loss: str | None, version: int | None
) -> SearchTarget:
    """The gallery of a model, or the collection of that name.

    Raises UnknownCollection, ModelMismatch where the collection is of another model than the one
    that is named, and what `Catalog.engine` raises.
    """
    if name == COLLECTION:
        return GalleryTarget(await parts.catalog.engine(loss, version))
    try:
        collection = await parts.threads.read(partial(parts.library.get, name))
    except UnknownCollection as error:
        raise UnknownCollection(name, (COLLECTION, *error.available)) from None
    check_model(collection.spec, loss, version)
    return CollectionTarget(collection, parts)


def _as_json(collection: str, hit: SearchHit) -> dict[str, Any]:
    return {
        "id": hit.item.id,
        "label": hit.item.label,
        "score": hit.score,
        "thumbnail": thumbnail_address(collection, hit.item),
        "metadata": hit.item.metadata,
    }
