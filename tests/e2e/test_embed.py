"""`python -m training embed`, from a folder of images to a collection, here and on a cluster."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from models.store import Store
from service.__main__ import main as service
from service.cli.resources import open_library
from service.settings import Settings
from tests.e2e.conftest import ROOT, SAMPLE
from tests.support.commands import training_here

PATIENCE_S = 300
NEWEST = Store(ROOT / "models" / "registry").versions("arcface")[-1]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 photographs, and a file that is none."""
    folder = tmp_path_factory.mktemp("embed") / "photos"
    shutil.copytree(SAMPLE / "test", folder)
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def embedded(photos: Path) -> Path:
    """Embed them with the local engine."""
    out = photos.parent / "local"
    with redirect_stdout(StringIO()) as shown:
        assert training_here(*command(photos, out)) == 0
    assert f"{out}: 100 embeddings of arcface/{NEWEST}" in shown.getvalue()
    assert "not embedded: 1 files, listed in" in shown.getvalue()
    return out


def command(photos: Path, out: Path) -> list[str | Path]:
    sizes = ("--batch", "2", "--shard", "40")
    return ["embed", "--model", "arcface", "--data", photos, "--out", out, *sizes]


def index(path: Path, name: str, data: Path) -> int:
    words = [path, "--collection", name, "--loss", "arcface", "--data-dir", data]
    return service(["index", *map(str, words), "--device=cpu"])


def test_embeddings_are_indexed_as_the_images_would_be(
    embedded: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert index(embedded, "bulk", tmp_path) == 0
    assert "collection bulk: 100 added" in capsys.readouterr().out
    assert index(photos, "direct", tmp_path) == 1
    assert "collection direct: 100 added, 1 not taken" in capsys.readouterr().out
    with open_library(Settings(data_dir=tmp_path)) as library:
        ours, theirs = library.get("bulk"), library.get("direct")
        ids = [item.id for item in theirs.page(0, 1000).items]
        assert len(ids) == 100
        np.testing.assert_allclose(ours.vectors(ids), theirs.vectors(ids), atol=1e-5)
        items = [ours.get(one) for one in ids]
        item = items[0]
    file = photos / item.id
    assert item.metadata["sha256"] == sha256(file.read_bytes()).hexdigest()
    assert item.metadata.keys() == {"probability", "sha256"}
    agree = [one.label == Path(one.id).parent.name for one in items]
    assert np.mean(agree) > 0.6  # predicted labels: right more often than not


@pytest.fixture
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of two nodes with one processor each."""
    pytest.importorskip("ray", reason="needs the extra 'distributed'")
    line = [sys.executable, str(ROOT / "tests" / "e2e" / "cluster.py")]
    first = {**os.environ, "RAY_worker_niceness": "0"}  # Ray's 15 waits for all other work
    with subprocess.Popen(
        line, cwd=ROOT, env=first, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = (text.split() for text in process.stdout)
        yield next(words[1] for words in lines if words[:1] == ["address"])
        process.communicate(timeout=PATIENCE_S)  # ends its standard input
    assert process.returncode == 0


@pytest.mark.ray
def test_a_cluster_of_two_nodes_shares_the_work_and_writes_the_same(
    embedded: Path, photos: Path, cluster: str
) -> None:
    out = photos.parent / "ray"
    line = command(photos, out)
    waiting = {"RAY_DATA_DEFAULT_WAIT_FOR_MIN_ACTORS_S": "120"}  # until both can take work
    done = subprocess.run(
        [sys.executable, "-m", "training", *map(str, line), "--engine=ray", "--address", cluster],
        cwd=ROOT,
        env={**os.environ, **waiting},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["engine"] == "ray"
    assert len(manifest["embedded"]) == 2
    assert sum(manifest["embedded"].values()) == 101
    for name in ("errors.jsonl", *manifest["shards"]):
        assert (out / name).read_bytes() == (embedded / name).read_bytes()
    assert len(manifest["shards"]) == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model=nope"], "no published model 'nope'"),
        (["--model=arcface@99"], "no published model 'arcface/99'"),
        (["--data=nowhere"], "there is no folder nowhere"),
        (["--data=training"], "must have an image in it"),
        (["--engine=ray", "--address=ray://x:1"], "not HOST:PORT or auto"),
        (["--engine=ray", "--address=127.0.0.1:1"], "no Ray cluster at 127.0.0.1:1"),
    ],
)
def test_a_mistake_is_one_line_and_status_1(
    more: list[str],
    message: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert training_here(*command(photos, tmp_path / "out"), *more) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("package", "more", "extra"),
    [("ray", ["--engine=ray"], "distributed"), ("pyarrow", [], "parquet")],
)
def test_a_missing_extra_is_named(
    package: str,
    more: list[str],
    extra: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delitem(sys.modules, "training.bulk.cluster", raising=False)  # else it has its ray
    monkeypatch.setitem(sys.modules, package, None)
    assert training_here(*command(photos, tmp_path / "out"), *more) == 1
    assert f"needs the extra '{extra}'" in capsys.readouterr().err


def test_ray_is_not_loaded_without_being_asked_for() -> None:
    code = (
        "import sys, training.__main__, training.bulk.job, training.bulk.engines; "
        "print('ray' in sys.modules)"
    )
    found = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert found.strip() == "False"
