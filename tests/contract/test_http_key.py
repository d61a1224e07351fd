from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from tests.bundles import picture
from tests.serving import ready, routes

OPEN = {"/health/live", "/health/ready"}


@pytest.fixture(scope="module")
def guarded(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry, api_key=SecretStr("hush")) as client:
        yield client


@pytest.mark.parametrize(
    "path", sorted({path for _, path in routes()} | {"/docs", "/openapi.json", "/nix"})
)
@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer no", "Bearer hush2", "Basic hush", "hush", "Bearer h\xfcsh"]
)
def test_without_the_key_only_health_answers(
    guarded: httpx.Client, path: str, header: str | None
) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    answer = guarded.request("GET", path, headers=headers)
    if path in OPEN:
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize("header", ["Bearer hush", "bearer hush"])
def test_with_the_key_everything_answers(guarded: httpx.Client, header: str) -> None:
    headers = {"Authorization": header, "Content-Type": "image/png"}
    assert guarded.post("/embed", content=picture(0), headers=headers).status_code == 200
    assert guarded.get("/metrics", headers=headers).status_code == 200
