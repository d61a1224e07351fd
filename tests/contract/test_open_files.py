"""Many collections and few file handles, in real processes: nothing fails, nothing is kept."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from tests.support.serving import PATIENCE_S, ROOT, started, wait_loaded

if sys.platform != "linux":
    pytest.skip("counts handles in /proc", allow_module_level=True)

HANDLES = 128  # a worker has about 50 without any collection
COLLECTIONS = 80
E1 = [1, 0, 0, 0]


@contextmanager
def limited(registry: Path, data: Path) -> Iterator[tuple[str, int]]:
    """The address of a service of two workers with few handles, and its process."""
    limit = f'ulimit -n {HANDLES} && exec {sys.executable} -m service "$@"'
    words = [f"--registry={registry}", f"--data-dir={data}", "--workers=2", "--device=cpu"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOSSATLAS_")}
    with subprocess.Popen(
        ["bash", "-c", limit, "bash", "--port=0", *words],
        cwd=ROOT,
        env=clean,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        address = said[said.index("http://") :].split()[0]
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(process.stderr.read)
            try:
                with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
                    wait_loaded(client)
                yield address, process.pid
            finally:
                process.terminate()
                rest.result(PATIENCE_S)


@pytest.fixture(scope="module")
def address(tiny_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with limited(tiny_registry, tmp_path_factory.mktemp("data")) as (address, _):
        yield address


@contextmanager
def fresh(address: str) -> Iterator[httpx.Client]:
    """A connection of its own: it may reach either worker."""
    with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
        yield client


def test_many_collections_fit_into_few_handles_and_no_model_is_damaged(address: str) -> None:
    names = [f"c{i}" for i in range(COLLECTIONS)]
    for name in names:
        with fresh(address) as client:
            made = client.put(f"/collections/{name}", json={"loss": "arcface"})
            assert made.status_code == 201, made.text
            put = {"items": [{"id": name, "vector": E1}]}
            answer = client.post(f"/collections/{name}/items", json=put)
            assert answer.status_code == 200, answer.text
    with ThreadPoolExecutor(6) as pool:
        asked = names * 3
        assert list(pool.map(_search, [address] * len(asked), asked)) == asked
    with fresh(address) as client:
        listed = client.get("/collections").json()
        assert len(listed["collections"]) == COLLECTIONS
        assert listed["unavailable"] == []
    for _ in range(6):
        with fresh(address) as client:
            detail = client.get("/report/arcface?version=1")  # loaded when it is asked for
            assert detail.status_code == 200, detail.text


def _search(address: str, name: str) -> str:
    with fresh(address) as client:
        answer = client.post(f"/neighbors?collection={name}&k=1", json={"vectors": [E1]})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["neighbors"][0][0]["id"])


def deleted_but_open(pid: int) -> list[str]:
    """Files of collections that the process and its children hold though they are deleted."""
    tree = [pid, *children(pid)]
    links = [link for one in tree for link in Path(f"/proc/{one}/fd").iterdir()]
    held = []
    for link in links:
        try:
            held.append(str(link.readlink()))
        except OSError:
            continue
    return [one for one in held if one.endswith("(deleted)") and "/collections/" in one]


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [grand for child in map(int, found) for grand in (child, *children(child))]


def test_a_deleted_collection_is_let_go_of_by_every_worker(
    tiny_registry: Path, tmp_path: Path
) -> None:
    places = (f"--registry={tiny_registry}", f"--data-dir={tmp_path}", "--workers=2")
    with started(*places) as (client, process):
        address = str(client.base_url)
        for i in range(8):
            assert client.put(f"/collections/c{i}", json={"loss": "arcface"}).status_code == 201
            put = {"items": [{"id": f"c{i}", "vector": E1}]}
            assert client.post(f"/collections/c{i}/items", json=put).status_code == 200
            for _ in range(8):  # open in both workers
                assert _search(address, f"c{i}") == f"c{i}"
        for i in range(8):
            assert client.delete(f"/collections/c{i}").status_code == 204
        give_up = monotonic() + PATIENCE_S
        while deleted_but_open(process.pid):
            assert monotonic() < give_up, deleted_but_open(process.pid)
            sleep(0.1)
