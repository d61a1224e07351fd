"""The map of a collection: its items as points of a plane, and their ids."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.collections.errors import UnknownPlane
from service.collections.planes.plane import Layout
from service.http.responses.planes import ItemIds, PlaneDescription, columns_of, describe_plane
from service.http.responses.problems import COLLECTION_ERRORS, problems
from service.http.routes.collection_threads import read
from service.http.state import Parts

router = APIRouter(prefix="/collections/{name}", tags=["collections"])
_OCTETS = "application/octet-stream"
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class LayoutQuery(BaseModel):
    """The layout that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: Layout = Field(
        "principal",
        description="principal: the two principal components, at once; neighbors: they are kept "
        "together, made in the background",
    )


class PlaneQuery(LayoutQuery):
    """The layout and the sequence that it is of."""

    sequence: int | None = Field(
        None, ge=0, le=2**63 - 1, description="as the description has it; others are not answered"
    )


class IdsQuery(BaseModel):
    """The part of the ids that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: int = Field(-1, ge=-1, le=2**63 - 1, description="`next` of the part before")
    limit: int = Field(10_000, ge=1, le=10_000, description="most ids of the part")


@router.get("/map", responses=problems(*COLLECTION_ERRORS))
async def describe(
    request: Request, parts: Parts, name: str, query: Annotated[LayoutQuery, Query()]
) -> PlaneDescription:
    """Describe the map of a collection, which is made where the items have changed."""

    def made() -> PlaneDescription:
        collection = parts.library.get(name)
        return describe_plane(
            collection.spec, query.layout, parts.planes.plane(collection, query.layout)
        )

    return await read(request, parts, made)


@router.get(
    "/points",
    response_class=Response,
    responses={
        200: {"content": {_OCTETS: _BINARY}},
        **problems(*COLLECTION_ERRORS, UnknownPlane),
    },
)
async def points(
    request: Request, parts: Parts, name: str, query: Annotated[PlaneQuery, Query()]
) -> Response:
    """Give the points of a collection's map as binary columns, which its description names."""

    def stored() -> bytes:
        plane = parts.planes.stored(parts.library.get(name), query.layout)
        if plane is None or query.sequence not in (None, plane.sequence):
            raise UnknownPlane(name, query.layout)
        return columns_of(plane)[1]

    data = await read(request, parts, stored)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(data, 200, headers, _OCTETS)


@router.get("/ids", responses=problems(*COLLECTION_ERRORS))
async def ids(
    request: Request, parts: Parts, name: str, query: Annotated[IdsQuery, Query()]
) -> ItemIds:
    """List rows and ids alone, in the order in which the items were put."""

    def page() -> ItemIds:
        pairs = parts.library.get(name).ids(query.after, query.limit)
        more = len(pairs) == query.limit
        return ItemIds(
            rows=[row for row, _ in pairs],
            ids=[one for _, one in pairs],
            next=pairs[-1][0] if more else None,
        )

    return await read(request, parts, page)
