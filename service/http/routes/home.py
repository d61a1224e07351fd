"""The front page."""

from fastapi import APIRouter, Request, Response

from service.http.requests.negotiation import HTML
from service.http.responses.problems import problems
from service.http.state import Parts

router = APIRouter(tags=["home"])


@router.get(
    "/",
    response_class=Response,
    responses={200: {"content": {HTML: {"schema": {"type": "string"}}}}, **problems()},
)
async def home(request: Request, parts: Parts) -> Response:
    """Show what is served here and where to go on."""
    address = str(request.base_url).rstrip("/")
    return parts.pages.home(address, parts.catalog.default, parts.catalog.newest())
