"""/static: styles, scripts and samples, under an address that names their content.

All files share one folder name, made of the hash of them all, so that modules import each other by
relative names and a browser never mixes two releases.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from service.http.requests.negotiation import has_it

PREFIX = "/static/"
MEDIA: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "gif": "image/gif",
    "png": "image/png",
    "webp": "image/webp",
}
_FOREVER = "public, max-age=31536000, immutable"
_DIGITS = 16


@dataclass(frozen=True)
class StaticFiles:
    """The files that are served, by name, and the digest of them all."""

    files: Mapping[str, bytes]
    digest: str

    def address(self, name: str) -> str:
        """The address of one file. Raises KeyError where there is none of that name."""
        if name not in self.files:
            raise KeyError(name)
        return f"{PREFIX}{self.digest}/{name}"


def read_static_files() -> StaticFiles:
    """Read every file that has a media type here."""
    found = dict(sorted(_read(files("service.http.pages") / "static", "")))
    whole = hashlib.sha256()
    for name, data in found.items():
        whole.update(f"{name} {len(data)} ".encode() + data)
    return StaticFiles(MappingProxyType(found), whole.hexdigest()[:_DIGITS])


def install(app: FastAPI, static: StaticFiles) -> None:
    """Serve them."""
    path = f"{PREFIX}{{digest}}/{{name:path}}"
    app.add_route(path, partial(_send, static), include_in_schema=False)


async def _send(static: StaticFiles, request: Request) -> Response:
    name = request.path_params["name"]
    data = static.files.get(name)
    if data is None or request.path_params["digest"] != static.digest:
        raise HTTPException(404)
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
    if has_it(request.scope, tag):
        return Response(status_code=304, headers=headers)
    return Response(data, 200, headers, MEDIA[name.rpartition(".")[2]])


def _read(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for one in folder.iterdir():
        name = prefix + one.name
        if one.is_dir():
            found += _read(one, f"{name}/")
        elif one.name.rpartition(".")[2] in MEDIA:
            found.append((name, one.read_bytes()))
    return found
