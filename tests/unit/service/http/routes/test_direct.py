"""Requests that carry images go straight to their endpoints."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.support.bundles import publish
from tests.support.serving import ready

DIRECT = ("/embed", "/classify", "/neighbors", "/compare", "/v1/embeddings")


def test_fastapi_never_sees_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path)
    seen: set[str] = set()
    call = FastAPI.__call__

    async def watched(self: FastAPI, scope: Any, receive: Any, send: Any) -> None:
        seen.add(scope.get("path", scope["type"]))
        await call(self, scope, receive, send)

    monkeypatch.setattr(FastAPI, "__call__", watched)
    with ready(tmp_path) as client:
        for path in DIRECT:
            assert client.post(path, content=b"x").json()["code"] == "unsupported_media_type"
            assert f'route="{path}",status="415"' in client.get("/metrics").text
    assert {"lifespan", "/health/ready"} <= seen
    assert not set(DIRECT) & seen
