"""One item has one set of limits, whichever way it comes: HTTP, a folder, Parquet, a snapshot."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.cli.resources import open_library
from service.collections.storage.layout import ITEMS
from service.settings import Settings
from tests.contract.conftest import Run
from tests.support.bundles import picture
from tests.support.collecting import made
from tests.support.serving import ready

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

VECTOR = [1.0, 0.0, 0.0, 0.0]
# The name of a limit, an item just inside it and one just outside.
LIMITS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("length of an id", {"id": "x" * 256}, {"id": "x" * 257}),
    ("an empty id", {"id": " "}, {"id": ""}),
    ("a newline in an id", {"id": "a\\nb"}, {"id": "a\nb"}),
    ("a newline behind an id", {"id": "a%0A"}, {"id": "a\n"}),
    ("a part that climbs", {"id": "a/.../b"}, {"id": "a/../b"}),
    ("a part that stays", {"id": "a/.b"}, {"id": "a/./b"}),
    ("length of a label", {"label": "x" * 256}, {"label": "x" * 257}),
    ("length of a key", {"metadata": {"k" * 128: 1}}, {"metadata": {"k" * 129: 1}}),
    ("number of keys", {"metadata": {f"k{i}": 1 for i in range(64)}},
     {"metadata": {f"k{i}": 1 for i in range(65)}}),
    ("length of a text", {"metadata": {"k": "x" * 4096}}, {"metadata": {"k": "x" * 4097}}),
    ("size of metadata", {"metadata": {f"k{i}": "x" * 4000 for i in range(4)}},
     {"metadata": {f"k{i}": "x" * 4096 for i in range(4)}}),
    ("a number of the vector", {"vector": [3e38, 0, 0, 0]}, {"vector": [1e39, 0, 0, 0]}),
    ("a vector's direction", {"vector": [1e-40, 0, 0, 0]}, {"vector": [0, 0, 0, 0]}),
    ("numbers of a vector", {}, {"vector": [1, 0, 0]}),
]  # fmt: skip
CASES = [(good, bad) for _, good, bad in LIMITS]
NAMES = [name for name, _, _ in LIMITS]


def whole(part: dict[str, Any]) -> dict[str, Any]:
    return {"id": "one", "vector": VECTOR} | part


@pytest.fixture(scope="module")
def running(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry) as client:
        yield client


@pytest.mark.parametrize(("good", "bad"), CASES, ids=NAMES)
def test_a_request_is_held_to_them(
    running: httpx.Client, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    address = made(running, "limits", loss="arcface")
    refused = running.post(f"{address}/items", json={"items": [whole(bad)]})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_items")
    taken = running.post(f"{address}/items", json={"items": [whole(good)]})
    assert taken.status_code == 200, taken.text
    assert running.get(address).json()["items"] == 1
    running.delete(address)


def written(path: Path, item: dict[str, Any]) -> Path:
    columns: dict[str, Any] = {"id": [item["id"]], "vector": [[float(x) for x in item["vector"]]]}
    if "label" in item:
        columns["label"] = [item["label"]]
    columns |= {key: [value] for key, value in item.get("metadata", {}).items()}
    pq.write_table(pa.table(columns), path)
    return path


def stored(data: Path, name: str) -> list[str]:
    with open_library(Settings(data_dir=data)) as library:
        return [item.id for item in library.get(name).page(0, 1000).items]


@pytest.mark.parametrize(("good", "bad"), CASES, ids=NAMES)
def test_a_parquet_file_is_held_to_them(
    run: Run, tmp_path: Path, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    bad_file, good_file = (
        written(tmp_path / f"{name}.parquet", whole(one))
        for name, one in (("bad", bad), ("good", good))
    )
    assert run("index", bad_file, "--collection=limits") == 1
    assert stored(tmp_path / "data", "limits") == []
    assert run("index", good_file, "--collection=limits") == 0
    assert stored(tmp_path / "data", "limits") == [whole(good)["id"]]


def test_a_folder_is_held_to_them(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = "/".join(["d" * 100] * 3)
    names = ["good.png", "odd \u2028 name.png", "a\nb.png", f"{deep}/x.png"]
    for name in names:
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(0))
    assert run("index", tmp_path / "pictures", "--collection=limits") == 1
    assert sorted(stored(tmp_path / "data", "limits")) == names[:2]
    assert "2 not taken" in capsys.readouterr().out


OLD = {
    "id": "UPDATE items SET id = 'a/../one'",
    "label": "UPDATE items SET label = printf('%.*c', 300, 'x')",
    "metadata": "UPDATE items SET metadata = json_object('k', printf('%.*c', 20000, 'x'))",
}


@pytest.mark.parametrize("sql", OLD.values(), ids=OLD)
def test_a_snapshot_is_held_to_them(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    """A snapshot of a release before may hold more; the collection itself goes on with it."""
    run("index", written(tmp_path / "one.parquet", whole({})), "--collection=limits")
    with closing(sqlite3.connect(tmp_path / "data/collections/limits" / ITEMS)) as database:
        database.execute(sql)
        database.commit()
    copy = tmp_path / "copy.sqlite"
    assert run("snapshot", "limits", f"--to={copy}") == 0
    assert run("restore", copy, "--collection=again") == 2
    assert "--drop-others" in capsys.readouterr().err
    assert run("restore", copy, "--collection=again", "--drop-others") == 0
    assert "left out: " in capsys.readouterr().out
    assert stored(tmp_path / "data", "again") == []


def test_a_snapshot_with_a_vector_that_is_none_is_damaged(run: Run, tmp_path: Path) -> None:
    run("index", written(tmp_path / "one.parquet", whole({})), "--collection=limits")
    copy = tmp_path / "copy.sqlite"
    assert run("snapshot", "limits", f"--to={copy}") == 0
    with closing(sqlite3.connect(copy)) as database:
        bad = np.array([np.nan, 0, 0, 0], "<f4").tobytes()
        database.execute("UPDATE items SET vector = ?", (bad,))
        database.commit()
    digest = hashlib.sha256(copy.read_bytes()).hexdigest()
    copy.with_name("copy.sqlite.sha256").write_text(f"{digest}  copy.sqlite\n")
    assert run("restore", copy, "--collection=again", "--drop-others") == 2


def test_an_empty_label_of_a_parquet_file_is_none(run: Run, tmp_path: Path) -> None:
    run("index", written(tmp_path / "a.parquet", whole({"label": ""})), "--collection=limits")
    with open_library(Settings(data_dir=tmp_path / "data")) as library:
        assert library.get("limits").get("one").label is None
