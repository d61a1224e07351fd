"""/docs: the API as a form to try things with, which asks no other host for anything.

Swagger UI is in the folder `swagger` as its project publishes it (npm, swagger-ui-dist 5.35.0,
Apache 2.0; the license is beside it).
"""

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from fastapi import FastAPI, Request, Response

from service.http.requests.conditional import has_it

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · LossAtlas</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# No validator: by default it sends the address of the description to its project's own host.
_START = """SwaggerUIBundle({
  url: new URL("openapi.json", location.href).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}
_SCRIPT, _STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
_Endpoint = Callable[[Request], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Add the page and what it loads."""
    folder = files("service.http.pages") / "swagger"
    script = (folder / "swagger-ui-bundle.js").read_bytes()
    style = (folder / "swagger-ui.css").read_bytes()
    for path, endpoint in {
        "/docs": _page,
        "/docs/swagger-ui-bundle.js": _file(script, _SCRIPT),
        "/docs/swagger-ui.css": _file(style, _STYLE),
        "/docs/start.js": _file(_START.encode(), _SCRIPT),
    }.items():
        app.add_route(path, endpoint, include_in_schema=False)


async def _page(request: Request) -> Response:  # noqa: ARG001 - Starlette gives it
    return Response(_PAGE, 200, _PAGE_HEADERS, "text/html; charset=utf-8")


def _file(data: bytes, media: str) -> _Endpoint:
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}

    async def send(request: Request) -> Response:
        if has_it(request.scope, tag):
            return Response(status_code=304, headers=headers)
        return Response(data, 200, headers, media)

    return send
