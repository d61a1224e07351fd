"""Collections: made, listed, shown, deleted, copied."""

from contextlib import suppress
from functools import partial

from fastapi import APIRouter, Request, Response

from service.collections import Collection, CollectionSpec, Library
from service.collections.data_folder import SNAPSHOTS
from service.collections.errors import (
    CollectionBusy,
    CollectionDamaged,
    CollectionDiffers,
    InvalidCollectionName,
    StorageFull,
    StorageReadOnly,
    UnknownCollection,
)
from service.errors import DeadlineExceeded, IndexUnavailable, Stopping, TooManyOpenFiles
from service.http.requests.body import header
from service.http.requests.collections import COLLECTION_BODY, CollectionBody
from service.http.requests.content_coding import read_body
from service.http.requests.json_body import read_json, validated
from service.http.requests.negotiation import PAGE_TOO, VARYING, Accept, wants_page
from service.http.requests.parameters import NoParameters
from service.http.responses.collections import (
    CollectionDetail,
    CollectionList,
    Snapshot,
    UnavailableCollection,
    show_backup,
    show_collection,
)
from service.http.responses.errors import answer_for
from service.http.responses.problems import BODY_ERRORS, COLLECTION_ERRORS, MODEL_ERRORS, problems
from service.http.routes.collection_threads import read, write
from service.http.state import Parts, Services

router = APIRouter(prefix="/collections", tags=["collections"])
_UNAVAILABLE = (CollectionBusy, CollectionDamaged, IndexUnavailable, TooManyOpenFiles)
_FACTS_ERRORS = (*COLLECTION_ERRORS, IndexUnavailable)
_MAKING_ERRORS = (*BODY_ERRORS, CollectionDiffers, InvalidCollectionName)
_BODY_MAX_BYTES = 64 * 1024


@router.put(
    "/{name}",
    responses={
        201: {"model": CollectionDetail, "description": "It was made"},
        **problems(*MODEL_ERRORS, *_FACTS_ERRORS, StorageFull, StorageReadOnly, *_MAKING_ERRORS),
    },
    openapi_extra=COLLECTION_BODY,
)
async def put(
    request: Request, response: Response, parts: Parts, name: str, _query: NoParameters
) -> CollectionDetail:
    """Make a collection of one model's vectors, unless it exists as it is asked for.

    What the body does not say has its default where the collection is made, and is not compared
    where one is there.
    """
    asked = await _read(request, parts)
    collection, made = await _get_or_create(request, parts, name, asked)
    collection.spec.require(asked.said())
    response.status_code = 201 if made else 200
    return show_collection(await read(request, parts, collection.facts))


@router.get(
    "",
    response_model=CollectionList,
    responses=PAGE_TOO | problems(Stopping, DeadlineExceeded, TooManyOpenFiles),
)
async def list_collections(
    request: Request,
    response: Response,
    parts: Parts,
    _query: NoParameters,
    accept: Accept = None,
) -> CollectionList | Response:
    """List every collection."""
    found = await read(request, parts, partial(_list, parts.library))
    response.headers.update(VARYING)
    if wants_page(accept):
        return parts.pages.collections(found, parts.catalog, str(request.base_url).rstrip("/"))
    return found


@router.get(
    "/{name}", response_model=CollectionDetail, responses=PAGE_TOO | problems(*_FACTS_ERRORS)
)
async def show(
    request: Request,
    response: Response,
    parts: Parts,
    name: str,
    _query: NoParameters,
    accept: Accept = None,
) -> CollectionDetail | Response:
    """Show one collection and how it stands, as JSON or as a page."""
    found = await read(request, parts, lambda: show_collection(parts.library.get(name).facts()))
    response.headers.update(VARYING)
    return parts.pages.collection(found) if wants_page(accept) else found


@router.delete(
    "/{name}",
    status_code=204,
    response_class=Response,
    responses=problems(*COLLECTION_ERRORS, StorageReadOnly),
)
async def delete(request: Request, parts: Parts, name: str, _query: NoParameters) -> Response:
    """Delete a collection with all its items; its snapshots stay."""
    await write(request, parts, partial(parts.library.delete, name))
    return Response(status_code=204)


@router.post(
    "/{name}/snapshot", responses=problems(*COLLECTION_ERRORS, StorageFull, StorageReadOnly)
)
async def snapshot(request: Request, parts: Parts, name: str, _query: NoParameters) -> Snapshot:
    """Copy the collection's items, as they are at one moment, to a file of the service's disk."""
    folder = parts.settings.data_dir / SNAPSHOTS

    def copy() -> Snapshot:
        return show_backup(name, parts.library.get(name).backup(folder))

    return await write(request, parts, copy)


def _list(library: Library) -> CollectionList:
    found, unavailable = list[CollectionDetail](), list[UnavailableCollection]()
    for name in library.names():
        try:
            found.append(show_collection(library.get(name).facts()))
        except UnknownCollection:  # it was deleted in between
            continue
        except _UNAVAILABLE as error:
            code = answer_for(error).code
            unavailable.append(UnavailableCollection(name=name, code=code, reason=str(error)))
    return CollectionList(collections=found, unavailable=unavailable)


async def _read(request: Request, parts: Services) -> CollectionBody:
    """Read the definition in the body; an empty one where the body is empty."""
    scope, receive, limit = request.scope, request.receive, _body_limit(parts)
    if not header(scope, b"content-type") and not await read_body(scope, receive, limit):
        return CollectionBody()
    return await read_json(scope, receive, limit, partial(validated, model=CollectionBody))


def _body_limit(parts: Services) -> int:
    return min(parts.settings.max_body_bytes, _BODY_MAX_BYTES)


async def _get_or_create(
    request: Request, parts: Services, name: str, asked: CollectionBody
) -> tuple[Collection, bool]:
    with suppress(UnknownCollection):
        return await read(request, parts, partial(parts.library.get, name)), False
    engine = await parts.catalog.engine(asked.loss, asked.version)
    spec = CollectionSpec.new(
        name,
        engine.manifest,
        metric=asked.metric,
        index=asked.index,
        keep_images=asked.keep_images,
        precision=engine.precision,
    )
    return await write(request, parts, partial(parts.library.create, spec))
