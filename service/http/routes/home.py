"""The front page and the map."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.http.requests.negotiation import HTML
from service.http.responses.problems import problems
from service.http.state import Parts

router = APIRouter(tags=["home"])


_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {HTML: {"schema": {"type": "string"}}}},
    **problems(),
}


@router.get("/", response_class=Response, responses=_PAGE)
async def home(request: Request, parts: Parts) -> Response:
    """Show what is served here and where to go on."""
    address = str(request.base_url).rstrip("/")
    return parts.pages.home(address, parts.catalog.default, parts.catalog.defaults())


@router.get("/explore", response_class=Response, responses=_PAGE)
async def explore(parts: Parts) -> Response:
    """Show the images of two models on their maps."""
    return parts.pages.explore([entry.name for entry in parts.catalog.defaults()])
