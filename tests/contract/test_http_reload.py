"""The models that are served change while requests come, and no request is lost by it."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from models.aliases import ALIASES, promote, roll_back
from models.bundle import MODEL
from models.store import Store
from tests.contract.test_service_start import running, workers_of
from tests.support.bundles import Recipe, picture, publish
from tests.support.serving import PATIENCE_S, ready

KEY = {"Authorization": "Bearer operator"}
PNG: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Two versions of arcface, of which the first answers, and one of softmax."""
    root = tmp_path / "registry"
    publish(root, "arcface", Recipe(seed=1))
    publish(root, "softmax", Recipe(seed=2))
    promote(Store(root), "arcface", 1)
    return root


@contextmanager
def served(registry: Path, workers: int, *flags: str) -> Iterator[httpx.Client]:
    given = [f"--registry={registry}", f"--workers={workers}", "--admin-key=operator", *flags]
    with running(*given) as (client, _):
        yield client


def versions(client: httpx.Client, n: int = 20) -> set[tuple[int, int | None]]:
    """Status and version of many answers, each over a connection of its own."""
    answers = (httpx.post(f"{client.base_url}/embed", timeout=PATIENCE_S, **PNG) for _ in range(n))
    return {(one.status_code, one.json().get("version")) for one in answers}


def reload(client: httpx.Client) -> httpx.Response:
    return client.post("/admin/reload", headers=KEY, timeout=PATIENCE_S)


def ready_models(client: httpx.Client) -> set[tuple[str, int]]:
    """Names and versions that the metrics show as ready in some worker."""
    shown = re.findall(
        r'^lossatlas_model_ready{model="(.+?)",.*version="(\d+)"} [1-9]',
        client.get("/metrics").text,
        re.MULTILINE,
    )
    return {(name, int(version)) for name, version in shown}


def until(client: httpx.Client, expected: set[tuple[int, int | None]]) -> None:
    give_up = monotonic() + PATIENCE_S
    while versions(client, 8) != expected:
        assert monotonic() < give_up
        sleep(0.05)


def parent_of(pid: int) -> int:
    """The process that made this one."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_is_lost_while_versions_change(registry: Path, workers: int) -> None:
    stop, store = Event(), Store(registry)

    def ask(base: str) -> list[tuple[int, int]]:
        seen = []
        with httpx.Client(base_url=base, timeout=PATIENCE_S) as own:
            while not stop.is_set():
                answer = own.post("/embed", **PNG)
                seen.append((answer.status_code, answer.json()["version"]))
        return seen

    with served(registry, workers) as client, ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask, str(client.base_url)) for _ in range(3)]
        publish(registry, "arcface", Recipe(seed=5))
        assert reload(client).json() == {"answering": {"arcface": 1, "softmax": 1}}
        promote(store, "arcface", 2)
        assert reload(client).json() == {"answering": {"arcface": 2, "softmax": 1}}
        assert versions(client) == {(200, 2)}
        roll_back(store, "arcface")
        assert reload(client).status_code == 200
        assert versions(client) == {(200, 1)}
        stop.set()
        answered = [one for each in asking for one in each.result(PATIENCE_S)]
    assert {status for status, _ in answered} == {200}
    assert {version for _, version in answered} == {1, 2}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_damaged_changes_nothing(registry: Path, workers: int) -> None:
    with served(registry, workers) as client:
        damaged = publish(registry, "arcface", Recipe(seed=5))
        promote(Store(registry), "arcface", 2)
        publish(registry, "center")
        (damaged.path / MODEL).write_bytes(b"nonsense")
        refused = reload(client)
        assert (refused.status_code, refused.json()["code"]) == (409, "reload_refused")
        assert versions(client) == {(200, 1)}
        assert ready_models(client) >= {("arcface", 1), ("softmax", 1)}
        assert not ready_models(client) & {("arcface", 2), ("center", 1)}
        listed = client.get("/models").json()["models"]
        assert [(one["name"], one["version"]) for one in listed] == [("arcface", 1), ("softmax", 1)]
        (registry / ALIASES).write_text("{")
        assert reload(client).json()["code"] == "reload_refused"
        (registry / ALIASES).unlink()
        publish(registry, "arcface", Recipe(seed=7))
        assert reload(client).json() == {"answering": {"arcface": 3, "center": 1, "softmax": 1}}
        assert versions(client) == {(200, 3)}
        assert client.get("/health/ready").status_code == 200


@needs_proc
def test_a_worker_that_starts_later_serves_what_the_others_do(registry: Path) -> None:
    with served(registry, 2) as client:
        publish(registry, "arcface", Recipe(seed=5))
        promote(Store(registry), "arcface", 2)
        assert reload(client).status_code == 200
        before = set(workers_of(registry))
        os.kill(min(before), signal.SIGKILL)
        give_up = monotonic() + PATIENCE_S
        while len(set(workers_of(registry)) - {min(before)}) < len(before):
            assert monotonic() < give_up
            sleep(0.05)
        assert versions(client, 40) == {(200, 2)}


@needs_proc
def test_sighup_reloads_and_workers_stay(registry: Path) -> None:
    with running(f"--registry={registry}", "--workers=2") as (client, _):
        before = set(workers_of(registry))
        publish(registry, "arcface", Recipe(seed=5))
        promote(Store(registry), "arcface", 2)
        os.kill(parent_of(min(before)), signal.SIGHUP)
        until(client, {(200, 2)})
        assert set(workers_of(registry)) == before


def test_the_registry_is_looked_at_by_itself(registry: Path) -> None:
    with running(f"--registry={registry}", "--workers=2", "--reload-every-s=1") as (client, _):
        publish(registry, "arcface", Recipe(seed=5))
        promote(Store(registry), "arcface", 2)
        until(client, {(200, 2)})


def test_versions_that_are_gone_are_gone_and_metrics_forget_them(registry: Path) -> None:
    with served(registry, 1) as client:
        publish(registry, "center")
        reload(client)
        assert 'lossatlas_model_ready{model="center"' in client.get("/metrics").text
        (registry / "center").rename(registry.parent / "center")
        assert reload(client).status_code == 200
        gone = client.post("/embed?loss=center", **PNG)
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_model")
        lines = client.get("/metrics").text.splitlines()
        shown = [one for one in lines if one.startswith('lossatlas_model_ready{model="center"')]
        assert all(one.endswith(" 0.0") for one in shown)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "admin_key_needed"),
        ({"Authorization": "Bearer wrong"}, 401, "admin_key_needed"),
        ({"Authorization": "Bearer everyday"}, 401, "admin_key_needed"),
        ({"Authorization": "Basic operator"}, 401, "admin_key_needed"),
        (KEY, 200, None),
    ],
)
def test_administration_has_a_key_of_its_own(
    registry: Path, headers: dict[str, str], status: int, code: str | None
) -> None:
    with ready(registry, api_key="everyday", admin_key="operator") as client:
        client.headers.pop("Authorization", None)
        answer = client.post("/admin/reload", headers=headers)
        assert (answer.status_code, answer.json().get("code")) == (status, code)
        assert client.post("/embed", **(PNG | {"headers": KEY})).status_code == 401


def test_administration_is_closed_without_a_key(registry: Path) -> None:
    with ready(registry) as client:
        answer = client.post("/admin/reload", headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (403, "admin_closed")
