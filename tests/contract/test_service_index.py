"""`python -m service index` as a user meets it: of folders and files, and again."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import httpx
import numpy as np
import pytest

from service.cli import INTERRUPTED
from service.cli.resources import open_library
from service.collections.errors import UnknownCollection
from service.settings import Settings
from tests.contract.conftest import SAMPLE, Run
from tests.contract.test_service_start import ROOT, environment, running
from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S


def command(folder: Path, registry: Path, *words: object) -> list[str]:
    """The command line of `index`, for a process of its own."""
    places = [f"--data-dir={folder}", f"--registry={registry}", "--device=cpu"]
    return [sys.executable, "-m", "service", "index", *map(str, words), *places]


def count(data: Path) -> int:
    with open_library(Settings(data_dir=data)) as library:
        try:
            return len(library.get("pets").page(0, 1000).items)
        except UnknownCollection:
            return 0


def test_a_folder_is_indexed_and_a_running_service_has_it_at_once(
    tiny_registry: Path, tmp_path: Path, photos: Path
) -> None:
    data = tmp_path / "data"
    places = (f"--registry={tiny_registry}", f"--data-dir={data}")
    with running("--workers=2", *places) as (client, _):
        indexed = subprocess.run(
            command(data, tiny_registry, photos, "--collection=pets"),
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (indexed.returncode, indexed.stderr) == (1, "")
        lines = indexed.stdout.splitlines()
        assert re.match(r"pets: 101 of 101 items, .* items/s, 0 s left", lines[-3])
        assert lines[-2].startswith("not taken: cat/broken.jpg: ")
        assert lines[-1] == "collection pets: 100 added, 1 not taken"
        for _ in range(8):  # either worker
            with httpx.Client(base_url=client.base_url, timeout=PATIENCE_S) as fresh:
                check_served(fresh, photos)


def check_served(client: httpx.Client, photos: Path) -> None:
    assert client.get("/collections/pets").json()["items"] == 100
    name = "frog/0003.jpg"
    answer = client.post(
        "/neighbors?collection=pets&k=1",
        content=(photos / name).read_bytes(),
        headers={"content-type": "image/jpeg"},
    )
    ((hit,),) = answer.json()["neighbors"]
    assert (hit["id"], hit["label"]) == (name, "frog")
    assert hit["score"] == pytest.approx(1, abs=1e-5)
    assert client.get(hit["thumbnail"]).headers["content-type"] == "image/jpeg"


def test_what_is_there_is_passed_over(
    run: Run, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("index", photos, "--collection=pets") == 1
    (photos / "cat" / "broken.jpg").unlink()
    (photos / "new.png").write_bytes(picture(1))
    assert run("index", photos, "--collection=pets", "--batch=7") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == "collection pets: 1 added, 100 there already"
    assert run("index", photos, "--collection=pets", "--replace") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "collection pets: 101 replaced"


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_an_interrupted_run_ends_in_order_and_goes_on(
    run: Run,
    tiny_registry: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, photos = tmp_path / "data", SAMPLE.parent
    words = (photos, "--collection=pets", "--batch=1")
    process = subprocess.Popen(
        command(data, tiny_registry, *words),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    until = monotonic() + PATIENCE_S
    while count(data) == 0:
        assert monotonic() < until
        sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INTERRUPTED
    assert said.splitlines()[-1] == "interrupted; the same command goes on from here"
    there = count(data)
    assert 0 < there < 500
    assert run("index", *words) == 0
    message = f"collection pets: {500 - there} added, {there} there already"
    assert capsys.readouterr().out.splitlines()[-1] == message


def test_a_parquet_file_is_indexed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    vectors = np.random.default_rng(0).normal(size=(2500, 4)).astype(np.float32)
    vectors[7] = 0
    table = arrow.table(
        {
            "id": [f"v{i}" for i in range(2500)],
            "vector": list(vectors),
            "label": ["cat", "dog"] * 1250,
            "year": list(range(2500)),
        }
    )
    parquet.write_table(table, tmp_path / "vectors.parquet")
    assert run("index", tmp_path / "vectors.parquet", "--collection=pets", "--index=exact") == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-2].startswith("not taken: v7: ")
    assert said[-1] == "collection pets: 2,499 added, 1 not taken"
    with open_library(Settings(data_dir=tmp_path / "data")) as library:
        pets = library.get("pets")
        item = pets.get("v2345")
        assert (item.label, item.metadata) == ("dog", {"year": 2345})
        unit = vectors[2345] / np.linalg.norm(vectors[2345])
        np.testing.assert_allclose(pets.vectors(["v2345"])[0], unit, atol=1e-6)


def test_a_collection_that_is_there_keeps_its_choices(
    run: Run, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("index", photos, "--collection=pets", "--index=exact")
    assert run("index", photos, "--collection=pets", "--loss=softmax", "--index=hnsw") == 2
    said = capsys.readouterr().err
    assert "loss ('arcface', not 'softmax'), index ('exact', not 'hnsw')" in said


def test_linked_folders_are_in_and_clutter_is_named(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pets = tmp_path / "pets"
    for name in ("pets/cat/1.png", "pets/cat/@eaDir/1.png/THUMB.png", "elsewhere/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture(1))
    (pets / "dog").symlink_to(tmp_path / "elsewhere")
    (pets / "cat" / "again").symlink_to(pets)
    (pets / "cat" / "notes.txt").touch()
    assert run("index", pets, "--collection=pets") == 0
    said = capsys.readouterr().out
    assert "cat/@eaDir" in said
    assert "cat/again" in said
    with open_library(Settings(data_dir=tmp_path / "data")) as library:
        items = library.get("pets").page(0, 10).items
    assert [(item.id, item.label) for item in items] == [("cat/1.png", "cat"), ("dog/2.png", "dog")]
