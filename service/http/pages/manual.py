"""/docs: every route, with a form to try it, made of the OpenAPI document by this service.

It is a page like the others: it works without scripts and without a network, under the same policy,
by keyboard. (Swagger UI was here before: it writes styles into the page, which the policy forbids,
and axe-core finds 106 faults at one width in it.)
"""

from functools import partial

from fastapi import FastAPI, Request, Response

from service.http.pages.manual_view import arrange
from service.http.pages.pages import Pages


def install(app: FastAPI, pages: Pages) -> None:
    """Add the page."""
    app.add_route("/docs", partial(_page, app, pages), include_in_schema=False)


async def _page(app: FastAPI, pages: Pages, request: Request) -> Response:
    return pages.manual(arrange(app.openapi()), str(request.base_url).rstrip("/"))
