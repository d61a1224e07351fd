"""The items of a collection: put, listed, shown, deleted."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.collections import Collection, CollectionSpec, Receipt
from service.collections.errors import StorageFull, StorageReadOnly
from service.http.requests.body import media_type
from service.http.requests.collections import ITEMS_BODY
from service.http.requests.items import ItemBatch, ItemQuery, read_items
from service.http.requests.negotiation import JSON
from service.http.requests.parameters import ItemId, ItemNamed, NoParameters
from service.http.responses.answers import as_json, server_timing
from service.http.responses.collections import (
    ItemDetail,
    ItemPage,
    ItemsReceipt,
    Removal,
    StoredItem,
    show_item,
    show_receipt,
)
from service.http.responses.problems import COLLECTION_ERRORS, VECTOR_ERRORS, problems
from service.http.routes.collection_threads import read, write
from service.http.routes.ingest import embed, new_items
from service.http.routes.model_binding import check_hash, engine_of
from service.http.state import Parts, Services
from service.inference.batch import Answer
from service.inference.capacity import Room
from service.inference.engine import Engine
from service.vectors.errors import UnknownItem

router = APIRouter(prefix="/collections/{name}", tags=["collections"])


class PageQuery(BaseModel):
    """The page that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: int = Field(0, ge=0, le=2**63 - 1, description="`next` of the page before")
    limit: int = Field(100, ge=1, le=1000, description="most items of the page")


class ItemShown(BaseModel):
    """The parts of an item that are shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vector: bool = Field(False, description="whether its vector is shown too")


class ItemNamedShown(ItemShown, ItemNamed):
    """The item, and what is shown of it."""


@router.post(
    "/items",
    response_model=ItemsReceipt,
    responses=problems(*VECTOR_ERRORS, StorageFull, StorageReadOnly),
    openapi_extra=ITEMS_BODY,
)
async def put_items(
    request: Request, parts: Parts, name: str, query: Annotated[ItemQuery, Query()]
) -> Response:
    """Put items: images, which the collection's model embeds, or ready vectors.

    All are taken or none. An item replaces the one of the same id. The answer comes once they are
    durable: they survive whatever happens next, and every search from now on sees them.
    """
    collection = await parts.threads.read(partial(parts.library.get, name))
    batch, asked = await _read(request, parts, query, collection.spec)
    with parts.patience.waiting(request.receive):
        answer, small = (None, []) if asked is None else await embed(*asked, batch.drafts)
        work = partial(_put, parts, collection, batch, answer, small)
        receipt = await parts.threads.write(work)
    body = show_receipt(name, [draft.id for draft in batch.drafts], receipt)
    return as_json(body, *([] if answer is None else [server_timing(answer)]))


@router.get("/items", responses=problems(*COLLECTION_ERRORS))
async def list_items(
    request: Request, parts: Parts, name: str, query: Annotated[PageQuery, Query()]
) -> ItemPage:
    """List items in the order in which they were put."""

    def page() -> ItemPage:
        found = parts.library.get(name).page(query.after, query.limit)
        items = [StoredItem(**show_item(name, one)) for one in found.items]
        return ItemPage(items=items, next=found.next)

    return await read(request, parts, page)


@router.get("/items/{id:any}", responses=problems(*COLLECTION_ERRORS, UnknownItem))
async def show(
    request: Request, parts: Parts, name: str, item: ItemId, query: Annotated[ItemShown, Query()]
) -> ItemDetail:
    """Show one item."""
    return await _show(request, parts, name, item, vector=query.vector)


@router.get("/item", responses=problems(*COLLECTION_ERRORS, UnknownItem))
async def show_named(
    request: Request, parts: Parts, name: str, query: Annotated[ItemNamedShown, Query()]
) -> ItemDetail:
    """Show one item whose id a path cannot carry."""
    return await _show(request, parts, name, query.id, vector=query.vector)


@router.delete(
    "/items/{id:any}",
    responses=problems(*COLLECTION_ERRORS, StorageFull, StorageReadOnly, UnknownItem),
)
async def delete(
    request: Request, parts: Parts, name: str, item: ItemId, _query: NoParameters
) -> Removal:
    """Delete one item; no search from now on sees it."""
    return await _delete(request, parts, name, item)


@router.delete(
    "/item", responses=problems(*COLLECTION_ERRORS, StorageFull, StorageReadOnly, UnknownItem)
)
async def delete_named(
    request: Request, parts: Parts, name: str, query: Annotated[ItemNamed, Query()]
) -> Removal:
    """Delete one item whose id a path cannot carry."""
    return await _delete(request, parts, name, query.id)


async def _show(
    request: Request, parts: Services, name: str, item: str, *, vector: bool
) -> ItemDetail:
    def detail() -> ItemDetail:
        collection = parts.library.get(name)
        shown = collection.vectors([item])[0].tolist() if vector else None
        return ItemDetail(**show_item(name, collection.get(item)), vector=shown)

    return await read(request, parts, detail)


async def _delete(request: Request, parts: Services, name: str, item: str) -> Removal:
    def remove() -> Removal:
        sequence = parts.library.get(name).delete(item)
        return Removal(collection=name, id=item, sequence=sequence)

    removal = await write(request, parts, remove)
    parts.metrics.count_deleted()
    return removal


async def _read(
    request: Request, parts: Services, query: ItemQuery, spec: CollectionSpec
) -> tuple[ItemBatch, tuple[Engine, Room] | None]:
    """The items, and who embeds those that are images, with room there.

    Raises ModelMismatch where the vectors are, or may be, those of another model.
    """
    if media_type(request.scope) != JSON:
        engine = await engine_of(parts.catalog, spec)
        room = engine.reserve()
        return await read_items(request, query, spec, parts.settings), (engine, room)
    batch = await read_items(request, query, spec, parts.settings)
    check_hash(spec, batch.model_sha256)
    if batch.images:
        engine = await engine_of(parts.catalog, spec)
        return batch, (engine, engine.reserve())
    if batch.model_sha256 is None:  # the client says nothing: the model that it could ask must fit
        await engine_of(parts.catalog, spec)
    return batch, None


def _put(
    parts: Services,
    collection: Collection,
    batch: ItemBatch,
    answer: Answer | None,
    small: Sequence[bytes],
) -> Receipt:
    embeddings = np.empty((0, 0), np.float32) if answer is None else answer.outputs.embedding
    keep = collection.spec.keep_images
    items = list(new_items(batch.drafts, embeddings, small, keep_images=keep))
    started = perf_counter()
    receipt = collection.put(items)
    parts.metrics.observe_put(len(items), perf_counter() - started)
    return receipt
