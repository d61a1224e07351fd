"""The front page and the map."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from service.errors import IndexUnavailable
from service.http.requests.negotiation import HTML
from service.http.responses.collections import show_collection
from service.http.responses.problems import COLLECTION_ERRORS, problems
from service.http.routes.collection_threads import read
from service.http.state import Parts

router = APIRouter(tags=["home"])
_MOST_LINKS = 30


class ExploreQuery(BaseModel):
    """The map that is looked at."""

    collection: str | None = Field(None, description="a collection; the models where absent")


_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {HTML: {"schema": {"type": "string"}}}},
    **problems(),
}


@router.get("/", response_class=Response, responses=_PAGE)
async def home(request: Request, parts: Parts) -> Response:
    """Show what is served here and where to go on."""
    address = str(request.base_url).rstrip("/")
    return parts.pages.home(address, parts.catalog.default, parts.catalog.defaults())


@router.get(
    "/explore",
    response_class=Response,
    responses=_PAGE | problems(*COLLECTION_ERRORS, IndexUnavailable),
)
async def explore(
    request: Request, parts: Parts, query: Annotated[ExploreQuery, Query()]
) -> Response:
    """Show the images of two models on their maps, or the items of a collection on its own."""
    if query.collection is None:
        names = await read(request, parts, parts.library.names)
        losses = [entry.name for entry in parts.catalog.defaults()]
        return parts.pages.explore(losses, names[:_MOST_LINKS])
    get = partial(parts.library.get, query.collection)
    return parts.pages.explore_collection(
        await read(request, parts, lambda: show_collection(get().facts()))
    )
