"""Collections of several processes at once, and of a process that is killed."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.__main__ import main
from tests.support.serving import PATIENCE_S, started, wait_loaded

CONNECTIONS = 12  # each stays with the worker that took it; so many meet both of two


@contextmanager
def two_workers(registry: Path, data: Path) -> Iterator[list[httpx.Client]]:
    """Clients of one service, each with a connection of its own."""
    flags = (f"--registry={registry}", f"--data-dir={data}", "--workers=2", "--deadline-s=240")
    with started(*flags) as (client, _), ExitStack() as stack:
        clients = [
            stack.enter_context(httpx.Client(base_url=client.base_url, timeout=PATIENCE_S))
            for _ in range(CONNECTIONS)
        ]
        for one in clients:
            wait_loaded(one)
        yield clients


def put(client: httpx.Client, *items: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/collections/c/items", json={"items": items})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def nearest(client: httpx.Client, vector: list[float], k: int = 100) -> list[str]:
    answer = client.post(f"/neighbors?collection=c&k={k}", json={"vectors": [vector]})
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["neighbors"][0]]


def test_every_worker_sees_what_any_worker_wrote(tiny_registry: Path, tmp_path: Path) -> None:
    with two_workers(tiny_registry, tmp_path) as clients:
        assert clients[0].put("/collections/c", json={"loss": "softmax"}).status_code == 201
        assert {one.put("/collections/c").status_code for one in clients} == {200}
        for i, writer in enumerate(clients):
            put(writer, {"id": f"{i}", "vector": [i, 0, 0, 0]})
            assert {nearest(one, [i, 0, 0, 0])[0] for one in clients} == {f"{i}"}
            assert {one.get(f"/collections/c/items/{i}").status_code for one in clients} == {200}
        for i, writer in enumerate(clients):
            assert writer.delete(f"/collections/c/items/{i}").status_code == 200
            left = {f"{j}" for j in range(i + 1, len(clients))}
            assert all(set(nearest(one, [0, 0, 0, 0])) == left for one in clients)
        assert clients[0].delete("/collections/c").status_code == 204
        assert {one.get("/collections/c").status_code for one in clients} == {404}
        asked = {"vectors": [[1, 2, 3, 4]]}
        answers = [one.post("/neighbors?collection=c", json=asked) for one in clients]
        statuses = {answer.status_code for answer in answers}
        assert statuses == {404}


def test_writers_in_both_workers_lose_nothing(tiny_registry: Path, tmp_path: Path) -> None:
    with two_workers(tiny_registry, tmp_path) as clients:
        clients[0].put("/collections/c", json={"loss": "softmax"})

        def write(number: int) -> list[int]:
            client = clients[number]
            items = (
                [{"id": f"{number}-{i}-{j}", "vector": [number, i, j, 1]} for j in range(5)]
                for i in range(10)
            )
            return [put(client, *batch)["sequence"] for batch in items]

        with ThreadPoolExecutor(len(clients)) as pool:
            sequences = [one for body in pool.map(write, range(len(clients))) for one in body]
        assert sorted(sequences) == [5 * (i + 1) for i in range(10 * len(clients))]
        for one in clients:
            facts = one.get("/collections/c").json()
            assert (facts["items"], facts["sequence"]) == (50 * len(clients),) * 2
            assert nearest(one, [3, 4, 2, 1], 1) == ["3-4-2"]


def test_what_was_acknowledged_survives_a_kill(tiny_registry: Path, tmp_path: Path) -> None:
    flags = (f"--registry={tiny_registry}", f"--data-dir={tmp_path}", "--workers=1")
    with started(*flags) as (client, process):
        client.put("/collections/c", json={"loss": "softmax"})
        for i in range(25):
            last = {"id": "last", "vector": [i, 1, 1, 1]}
            put(client, {"id": f"{i}", "vector": [i, 0, 0, 0]}, last)
        process.kill()
    with started(*flags) as (client, _):
        facts = client.get("/collections/c").json()
        assert (facts["items"], facts["sequence"]) == (26, 50)
        assert set(nearest(client, [0, 0, 0, 0])) == {*map(str, range(25)), "last"}
        assert nearest(client, [24, 1, 1, 1], 1) == ["last"]


def test_an_index_elsewhere_without_its_client_keeps_it_from_starting(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    assert main([f"--registry={tiny_registry}", "--index-url=milvus://127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert "extra 'distributed'" in said
    assert len(said.splitlines()) == 1
