"""A service that may not write: what is there still answers, and one line says what is lacking."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.test_service_start import environment
from tests.support.bundles import picture, publish
from tests.support.serving import PATIENCE_S, wait_loaded

ROOT = Path(__file__).parents[2]
JPEG: dict[str, Any] = {"content": picture(0), "headers": {"Content-Type": "image/png"}}
WRITES = [
    ("PUT", "/collections/new", {"json": {"loss": "arcface"}}),
    ("POST", "/collections/c/items?id=b", JPEG),
    ("DELETE", "/collections/c/items/a", {}),
    ("POST", "/collections/c/snapshot", {}),
    ("DELETE", "/collections/c", {}),
]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no users of this kind")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    publish(tmp_path / "registry", "arcface")
    yield tmp_path
    for path in (tmp_path, *tmp_path.rglob("*")):  # pytest deletes it
        if path.is_dir():
            path.chmod(0o755)


IMPATIENT = """
import runpy, sys
from service.collections.storage import connections, schema
connections.BUSY_TIMEOUT_S = schema.BUSY_TIMEOUT_S = 1.0
sys.argv[0] = "service"
runpy.run_module("service", run_name="__main__", alter_sys=True)
"""


def service(
    place: Path,
    data: Path,
    *,
    may_write: bool = False,
    program: tuple[str, ...] = ("-m", "service"),
) -> list[str]:
    wrapped = [] if may_write else [sys.executable, "-m", "tests.support.unprivileged"]
    command = [*wrapped, sys.executable, *program, "--port=0", "--device=cpu"]
    return [*command, f"--data-dir={data}", f"--registry={place / 'registry'}"]


@contextmanager
def running(
    command: list[str], *flags: str, ending: int = signal.SIGTERM
) -> Iterator[tuple[httpx.Client, list[str]]]:
    """A service of that folder, its client, and the lines that it says before it listens."""
    with subprocess.Popen(
        [*command, *flags], cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if match := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            raise AssertionError(said)
        try:
            with httpx.Client(base_url=match[0], timeout=PATIENCE_S) as client:
                wait_loaded(client)
                yield client, said
        finally:
            process.send_signal(ending)
            said.append(process.communicate(timeout=PATIENCE_S)[1])


def fill(place: Path, *, ending: int) -> Path:
    data = place / "data"
    with running(service(place, data, may_write=True), "--workers=1", ending=ending) as (client, _):
        assert client.put("/collections/c", json={"loss": "arcface"}).status_code == 201
        assert client.post("/collections/c/items?id=a", **JPEG).status_code == 200
    return data


def forbid(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


@pytest.mark.parametrize(
    "ending",
    [pytest.param(signal.SIGTERM, marks=pytest.mark.variant), signal.SIGKILL],
    ids=["closed", "killed"],
)
def test_collections_that_cannot_be_written_can_be_read(place: Path, ending: int) -> None:
    """Of a killed process SQLite's log is left, with the items in it."""
    data = fill(place, ending=ending)
    assert (data / "collections" / "c" / "items.sqlite-wal").exists() == (ending == signal.SIGKILL)
    forbid(data)
    with running(service(place, data), "--workers=2") as (client, said):
        assert [one["name"] for one in client.get("/collections").json()["collections"]] == ["c"]
        assert [one["id"] for one in client.get("/collections/c/items").json()["items"]] == ["a"]
        near = client.post("/neighbors?collection=c&k=1", **JPEG)
        assert near.json()["neighbors"][0][0]["id"] == "a"
        for path in ("/report", "/models", "/collections/c", "/collections/c/images/a"):
            assert client.get(path).status_code == 200, path
        for method, path, body in WRITES:
            answer = client.request(method, path, **body)
            assert (answer.status_code, answer.json()["code"]) == (507, "storage_read_only"), path
        assert client.get("/collections/c").json()["items"] == 1
    before, after = said[:-1], said[-1]
    assert len([line for line in before if "cannot be written" in line]) == 1
    assert "Traceback" not in after


def absent_and_forbidden(place: Path) -> Path:
    (place / "locked").mkdir(mode=0o555)
    return place / "locked" / "data"


def below_a_file(place: Path) -> Path:
    (place / "file").touch()
    return place / "file" / "data"


@pytest.mark.parametrize("data_of", [absent_and_forbidden, below_a_file])
def test_an_impossible_data_folder_leaves_the_models(
    place: Path, data_of: Callable[[Path], Path]
) -> None:
    data = data_of(place)
    with running(service(place, data), "--workers=1") as (client, said):
        assert client.post("/embed", **JPEG).status_code == 200
        assert client.get("/report/arcface").status_code == 200
        assert client.get("/collections").json()["collections"] == []
        answer = client.put("/collections/new", json={"loss": "arcface"})
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_read_only")
    assert len([line for line in said[:-1] if "cannot be written" in line]) == 1
    assert "Traceback" not in said[-1]


def test_writers_wait_while_somebody_reads_what_they_could_change(place: Path) -> None:
    """A reader that cannot write has none of SQLite's locks: the file must not change below it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, who can write what others only read")
    data = fill(place, ending=signal.SIGTERM)
    forbid(data)
    with running(service(place, data), "--workers=1") as (reader, _):
        assert reader.get("/collections/c").json()["items"] == 1
        impatient = service(place, data, may_write=True, program=("-c", IMPATIENT))
        with running(impatient, "--workers=1") as (writer, _):
            answer = writer.post("/collections/c/items?id=b", **JPEG)
            assert (answer.status_code, answer.json()["code"]) == (503, "collection_busy")
        assert reader.get("/collections/c").json()["items"] == 1


def test_a_registry_that_cannot_be_read_is_named(place: Path) -> None:
    registry = place / "registry"
    registry.chmod(0o000)
    command = service(place, place / "data")
    ended = subprocess.run(
        command, check=False, cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert str(registry) in ended.stderr


def test_workers_share_a_folder_below_the_data_where_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from service.machine import folders

    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(tempfile, "mkdtemp", _below_only(tempfile.mkdtemp))
    assert folders.can_share(tmp_path / "data")
    with folders.shared_folder(tmp_path / "data") as folder:
        assert folder.parent == tmp_path / "data"
    assert list((tmp_path / "data").iterdir()) == []
    (tmp_path / "file").touch()
    assert not folders.can_share(tmp_path / "file" / "data")
    shutil.rmtree(tmp_path / "data")


def _below_only(make: Callable[..., str]) -> Callable[..., str]:
    def made(suffix: str | None = None, prefix: str | None = None, dir: str | None = None) -> str:  # noqa: A002 - as tempfile calls it
        if dir is None:
            raise FileNotFoundError("No usable temporary directory found")
        return make(suffix, prefix, dir)

    return made
