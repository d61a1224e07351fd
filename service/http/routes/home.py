"""The front page."""

from fastapi import APIRouter, Response

from service.http.negotiate import HTML
from service.http.responses import problems
from service.http.state import Parts

router = APIRouter(tags=["home"])


@router.get(
    "/",
    response_class=Response,
    responses={200: {"content": {HTML: {"schema": {"type": "string"}}}}, **problems()},
)
async def home(parts: Parts) -> Response:
    """Show what is served here and where to go on."""
    return parts.pages.home(parts.catalog.default, parts.catalog.newest())
