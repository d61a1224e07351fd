"""Items that are there: another label, a copy in another collection."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.collections import Collection
from service.collections.errors import ModelMismatch, StorageFull, StorageReadOnly
from service.collections.validation import label_problem
from service.errors import MalformedBody
from service.http.requests.collections import COPY_BODY, LABEL_BODY, CopyBody, LabelBody
from service.http.requests.json_body import read_json, validated
from service.http.requests.parameters import ItemNamed, NoParameters
from service.http.responses.collections import Copied, Relabeled
from service.http.responses.problems import BODY_ERRORS, COLLECTION_ERRORS, problems
from service.http.routes.collection_threads import read, write
from service.http.routes.model_binding import check_hash
from service.http.state import Parts
from service.vectors.errors import UnknownItem

router = APIRouter(prefix="/collections/{name}", tags=["collections"])
_AT_ONCE = 50  # items whose pictures are in memory together
_ERRORS = (*COLLECTION_ERRORS, *BODY_ERRORS, StorageFull, StorageReadOnly, UnknownItem)


@router.put("/label", responses=problems(*_ERRORS), openapi_extra=LABEL_BODY)
async def relabel(
    request: Request, parts: Parts, name: str, query: Annotated[ItemNamed, Query()]
) -> Relabeled:
    """Give one item another label, or none; all else of it stays."""
    limit = parts.settings.max_body_bytes
    parse = partial(validated, model=LabelBody)
    body = await read_json(request.scope, request.receive, limit, parse)
    if problem := label_problem(body.label):
        raise MalformedBody(problem)

    def change() -> Relabeled:
        sequence = parts.library.get(name).relabel(query.id, body.label)
        return Relabeled(collection=name, id=query.id, label=body.label, sequence=sequence)

    return await write(request, parts, change)


@router.post(
    "/copy",
    responses=problems(*_ERRORS, ModelMismatch),
    openapi_extra=COPY_BODY,
)
async def copy(request: Request, parts: Parts, name: str, _query: NoParameters) -> Copied:
    """Copy items of another collection of the same model: vectors, labels, metadata, pictures.

    Several writes: where one fails, those before it have been done, and may be repeated.
    """
    limit = parts.settings.max_body_bytes
    parse = partial(validated, model=CopyBody)
    body = await read_json(request.scope, request.receive, limit, parse)
    target = await read(request, parts, partial(parts.library.get, name))
    source = await read(request, parts, partial(parts.library.get, body.source))
    check_hash(target.spec, source.spec.model_sha256)
    if source.spec.precision != target.spec.precision:
        made_by = f"{target.spec.loss}/{target.spec.version} in {target.spec.precision}"
        raise ModelMismatch(name, made_by, source.spec.precision)
    return await write(
        request, parts, partial(_copy, source, target, tuple(dict.fromkeys(body.ids)))
    )


def _copy(source: Collection, target: Collection, ids: Sequence[str]) -> Copied:
    if not all(there := source.has(ids)):
        raise UnknownItem(source.spec.name, ids[there.index(False)])
    sequence = replaced = 0
    for first in range(0, len(ids), _AT_ONCE):
        receipt = target.put(source.stored(ids[first : first + _AT_ONCE]))
        sequence, replaced = receipt.sequence, replaced + sum(receipt.replaced)
    return Copied(
        collection=target.spec.name,
        source=source.spec.name,
        sequence=sequence,
        items=len(ids),
        replaced=replaced,
    )
