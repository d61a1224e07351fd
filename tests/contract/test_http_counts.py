"""Each refusal is counted once, on any route."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.serving import ready

BAD = picture(0)[:100]
TEXT = base64.b64encode(BAD).decode()
IMAGES = {"images": [TEXT]}


@pytest.fixture(scope="module")
def client(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry) as client:
        client.put("/collections/pets", json={"loss": "arcface"})
        yield client


def counted(client: httpx.Client, name: str) -> float:
    name = re.escape(f"lossatlas_{name}")
    found = re.search(rf"^{name} ([0-9.]+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embed", IMAGES),
        ("/classify", IMAGES),
        ("/compare", IMAGES),
        ("/neighbors", IMAGES),
        ("/neighbors?collection=pets", IMAGES),
        ("/v1/embeddings", {"model": "arcface", "input": f"data:image/png;base64,{TEXT}"}),
        ("/collections/pets/items", {"items": [{"image": TEXT}]}),
    ],
)
def test_an_image_that_cannot_be_decoded_is_counted_once(
    client: httpx.Client, path: str, body: dict[str, object]
) -> None:
    failures = 'decode_failures_total{reason="undecodable"}'
    before = counted(client, failures)
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "undecodable_image")
    assert counted(client, failures) == before + 1
