"""OpenAPI's description of images in a body that is not JSON."""

from typing import Any

_BINARY = {"schema": {"type": "string", "format": "binary"}}

IMAGES_CONTENT: dict[str, Any] = {
    "image/*": _BINARY,
    "application/octet-stream": _BINARY,
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                "image": {
                    "type": "array",
                    "items": {"type": "string", "format": "binary"},
                    "description": "every file part is one image; its name is ignored",
                }
            },
        }
    },
}
