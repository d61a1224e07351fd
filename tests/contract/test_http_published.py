"""The models to serve are chosen once, when the service starts, for all workers."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from models.bundle import MANIFEST
from models.store import Store
from service.registry.published import read_published
from tests.contract.test_service_start import running, workers_of
from tests.support.bundles import Recipe, picture, publish
from tests.support.serving import PATIENCE_S, ready

PNG: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")


@contextmanager
def two_workers(registry: Path) -> Iterator[httpx.Client]:
    with running(f"--registry={registry}", "--workers=2") as (client, _):
        yield client


def replace_one(registry: Path) -> None:
    """Kill a worker and wait until another is in its place."""
    before = set(workers_of(registry))
    os.kill(min(before), signal.SIGKILL)
    give_up = monotonic() + PATIENCE_S
    while len(set(workers_of(registry)) - {min(before)}) < len(before):
        assert monotonic() < give_up
        sleep(0.05)


def answers(client: httpx.Client, n: int = 40) -> set[tuple[int, int | None]]:
    """Status and version of many answers, each over a connection of its own."""
    found = set()
    for _ in range(n):
        answer = httpx.post(f"{client.base_url}/embed", timeout=PATIENCE_S, **PNG)
        found.add((answer.status_code, answer.json().get("version")))
    return found


@needs_proc
def test_a_new_worker_serves_what_the_others_do(tmp_path: Path) -> None:
    publish(tmp_path, "arcface")
    with two_workers(tmp_path) as client:
        publish(tmp_path, "arcface", Recipe(seed=5))
        publish(tmp_path, "center")
        replace_one(tmp_path)
        assert answers(client) == {(200, 1)}
        for _ in range(10):
            found = httpx.get(f"{client.base_url}/models").json()["models"]
            assert [(one["name"], one["version"]) for one in found] == [("arcface", 1)]
    with two_workers(tmp_path) as client:  # a restart serves what was published
        assert answers(client, 5) == {(200, 2)}


def test_a_manifest_that_was_replaced_is_damage(tmp_path: Path) -> None:
    bundle = publish(tmp_path, "arcface")
    publish(tmp_path, "softmax")
    publish(tmp_path, "softmax", Recipe(seed=5))
    older = tmp_path / "softmax" / "1" / MANIFEST
    with ready(tmp_path) as client:
        changed = json.loads(older.read_text()) | {"backbone": "another"}
        older.write_text(json.dumps(changed))
        answer = client.post("/embed?loss=softmax&version=1", **PNG)
        assert (answer.status_code, answer.json()["code"]) == (409, "model_damaged")
        assert client.post("/embed", **PNG).json()["version"] == bundle.manifest.version


def test_a_version_that_was_deleted_is_damage(tmp_path: Path) -> None:
    gone = publish(tmp_path, "arcface")
    publish(tmp_path, "arcface", Recipe(seed=5))
    with ready(tmp_path) as client:
        gone.path.rename(tmp_path / "elsewhere")
        answer = client.post("/embed?version=1", **PNG)
        assert (answer.status_code, answer.json()["code"]) == (409, "model_damaged")
        assert client.post("/embed", **PNG).json()["version"] == 2


def test_what_is_published_is_every_version(tmp_path: Path) -> None:
    for name in ("softmax", "arcface", "arcface"):
        publish(tmp_path, name)
    (tmp_path / "softmax" / "1" / MANIFEST).unlink()
    published = read_published(Store(tmp_path), {})
    assert published.versions() == {"arcface": (1, 2), "softmax": (1,)}
    assert published.manifests["softmax", 1] is None
    assert published.manifests["arcface", 1] != published.manifests["arcface", 2]
