"""Nearest neighbors of images, vectors and items: in a model's gallery, or in a collection."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.errors import IndexUnavailable
from service.http.requests.body import media_type
from service.http.requests.collections import NEIGHBORS_BODY
from service.http.requests.negotiation import JSON
from service.http.requests.neighbors import NeighborsQuery, Queries, read_queries
from service.http.requests.vectors import read_vectors
from service.http.responses.answers import Header, as_json, server_timing
from service.http.responses.problems import VECTOR_ERRORS, problems
from service.http.responses.schemas import NeighborsResponse
from service.http.routes.direct import DirectRoute
from service.http.routes.search_target import SearchTarget, target_of
from service.http.state import Parts
from service.inference.capacity import Room
from service.vectors.errors import InvalidFilter, UnknownItem
from service.vectors.protocol import Vectors

_FEW = 32  # vectors, which are read in less time than a thread needs to begin
router = APIRouter(tags=["images"], route_class=DirectRoute)


@router.post(
    "/neighbors",
    response_model=NeighborsResponse,
    responses=problems(*VECTOR_ERRORS, InvalidFilter, UnknownItem, IndexUnavailable),
    openapi_extra=NEIGHBORS_BODY,
)
async def neighbors(
    request: Request, parts: Parts, query: Annotated[NeighborsQuery, Query()]
) -> Response:
    """Find the nearest items of each image, vector or item; a higher score is nearer."""
    place = await target_of(parts, query.collection, query.loss, query.version)
    room: Room | None = None
    if media_type(request.scope) != JSON:  # which may carry what needs no model
        room = (await place.engine()).reserve()
    asked = await read_queries(request, parts.settings)
    search = query.search(asked)
    with parts.patience.waiting(request.receive):
        vectors, *headers = await _vectors(place, asked, room)
        found = await place.search(vectors, search)
    return as_json({**place.names, "neighbors": found}, *headers)


async def _vectors(
    place: SearchTarget, asked: Queries, room: Room | None
) -> tuple[Vectors, *tuple[Header, ...]]:
    place.check_hash(asked.model_sha256)
    if asked.ids:
        return (await place.vectors(asked.ids),)
    if asked.vectors:
        read = partial(read_vectors, asked.vectors, place.dimension, place.metric)
        return (read() if len(asked.vectors) <= _FEW else await asyncio.to_thread(read),)
    engine = await place.engine()
    with room or engine.reserve() as held:
        answer = await engine.answer(asked.images, held)
    return answer.outputs.embedding, server_timing(answer)
