"""The parts of the OpenAPI document that FastAPI cannot know."""

from typing import Any

from fastapi import FastAPI

from service.access.sessions import COOKIE
from service.http.requests.collections import REFERENCES, NewItemBody
from service.http.responses.problems import refusals
from service.http.responses.schemas import Problem

_DESCRIPTION = """One embedder per loss, served side by side.

*Images* are sent as a raw `image/*` body (one image), as `multipart/form-data` (every file part
one image) or as JSON `{"images": ["<base64 or data URI>"]}`.
Every error is an `application/problem+json` body; branch on its `code`."""


def _add_refusals(paths: dict[str, Any]) -> None:
    """Add what may be refused before a route is asked, wherever one is not open to everybody."""
    for path in paths.values():
        for method, operation in path.items():
            if "401" in operation["responses"]:
                operation["responses"] |= {
                    str(status): response
                    for status, response in refusals(writes=method != "get").items()
                }


def describe(app: FastAPI) -> None:
    """Add the problem schema and the key's security scheme to the application's document."""
    app.description = _DESCRIPTION
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for model in (Problem, NewItemBody):
            schema = model.model_json_schema(ref_template=REFERENCES)
            schemas.update(schema.pop("$defs", {}), **{model.__name__: schema})
        components["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer"},
            "browser": {
                "type": "http",
                "scheme": "basic",
                "description": "any user name; the key is the password",
            },
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": COOKIE,
                "description": "which POST /sign-in sets, for browsers",
            },
        }
        document["security"] = [{"key": []}, {"browser": []}, {"session": []}, {}]
        _add_refusals(document["paths"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents
