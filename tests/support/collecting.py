"""Collections made and filled over HTTP, for tests."""

import base64
from typing import Any

import httpx

from service.http.responses.collections import ItemsReceipt


def made(client: httpx.Client, name: str, **asked: Any) -> str:
    """The address of a new collection."""
    answer = client.put(f"/collections/{name}", json=asked)
    assert answer.status_code == 201, answer.text
    return f"/collections/{name}"


def put(client: httpx.Client, address: str, *items: dict[str, Any]) -> ItemsReceipt:
    answer = client.post(f"{address}/items", json={"items": items})
    assert answer.status_code == 200, answer.text
    return ItemsReceipt.model_validate(answer.json())


def item(name: str, *numbers: float, **rest: Any) -> dict[str, Any]:
    return {"id": name, "vector": list(numbers), **rest}


def coded(image: bytes) -> str:
    return base64.b64encode(image).decode()
