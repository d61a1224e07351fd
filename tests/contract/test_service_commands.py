"""What `python -m service` does besides serving, as a user meets it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import httpx
import numpy as np
import pytest

from service.__main__ import main
from service.commands import COMMANDS, INTERRUPTED
from service.commands.opening import open_library
from service.errors import UnknownCollection
from service.settings import Settings
from tests.bundles import picture
from tests.contract.test_service_start import ROOT, environment, running
from tests.serving import PATIENCE_S

SAMPLE = ROOT / "tests" / "data" / "cifar10-sample" / "test"
DOCS = (ROOT / "docs" / "collections.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", DOCS, re.DOTALL)
COMMAND_LINES = [text for block in BLOCKS for text in re.split(r"^\$ ", block, flags=re.M)[1:]]
EXAMPLES = [text.split("\n", 1) for text in COMMAND_LINES]
# What differs from one run to the next.
VARYING = re.compile(
    r"[\d,]+ items/s|20[\d-]+T[\d:.+]+|[\d.]+ [kM]B|[\d,]+ bytes|\b[0-9a-f]{64}\b|─+|\s+"
)
Run = Callable[..., int]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """100 images in class folders, and one that is none."""
    folder = tmp_path / "photos"
    shutil.copytree(SAMPLE, folder)
    (folder / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return folder


@pytest.fixture
def run(tiny_registry: Path, tmp_path: Path) -> Run:
    """Do a command in this process."""

    def do(name: str, *words: object) -> int:
        takes_models = name in ("index", "reembed")
        places = [f"--data-dir={tmp_path / 'data'}"]
        places += [f"--registry={tiny_registry}", "--device=cpu"] if takes_models else []
        return main([name, *map(str, words), *places])

    return do


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
    told = f"collection pets: {500 - there} added, {there} there already"
    assert capsys.readouterr().out.splitlines()[-1] == told


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


def test_a_collection_can_be_copied_and_restored_under_another_name(
    run: Run, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("index", photos, "--collection=pets")
    assert run("snapshot", "pets") == 0
    assert (tmp_path / "data" / "snapshots" / "pets-100.sqlite").is_file()
    copy = tmp_path / "elsewhere" / "copy.db"
    assert run("snapshot", "pets", "--to", copy) == 0
    assert sorted(path.name for path in copy.parent.iterdir()) == ["copy.db", "copy.db.sha256"]
    assert run("restore", copy, "--collection=again") == 0
    capsys.readouterr()
    assert run("collections") == 0
    lines = capsys.readouterr().out.splitlines()
    for name in ("again", "pets"):
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert "arcface/2" in line
        assert " 100 " in line


def test_without_collections_it_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("collections") == 0
    assert capsys.readouterr().out.startswith("no collections in ")


def test_a_collection_goes_over_to_another_model_while_it_is_served(
    run: Run, tiny_registry: Path, tmp_path: Path, photos: Path
) -> None:
    run("index", photos, "--collection=pets")
    places = (f"--registry={tiny_registry}", f"--data-dir={tmp_path / 'data'}")
    with running("--workers=2", *places) as (client, _):
        assert client.get("/collections/pets").json()["loss"] == "arcface"
        assert run("reembed", "pets", "--loss=softmax") == 0
        for _ in range(8):
            with httpx.Client(base_url=client.base_url, timeout=PATIENCE_S) as fresh:
                assert fresh.get("/collections/pets").json()["loss"] == "softmax"
                check_nearest_is_itself(fresh, photos)


def check_nearest_is_itself(client: httpx.Client, photos: Path) -> None:
    name = "ship/0007.jpg"
    answer = client.post(
        "/neighbors?collection=pets&k=1",
        content=(photos / name).read_bytes(),
        headers={"content-type": "image/jpeg"},
    )
    assert answer.json()["loss"] == "softmax"
    assert answer.json()["neighbors"][0][0]["id"] == name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["index", "nowhere", "--collection=pets"], "nowhere cannot be used: there is no such"),
        (["index", "{empty}", "--collection=pets"], "there is no image in it"),
        (["index", "{photos}", "--collection=pets", "--loss=nope"], "no published model 'nope'"),
        (["index", "{photos}", "--collection=Pets!"], "'Pets!'.*a-z, 0-9"),
        (["index", "{photos}", "--collection=gallery"], "'gallery'"),
        (["index", "{photos}"], "the following arguments are required: --collection"),
        (["index", "{photos}", "--collection=p", "--batch=0"], "--batch: 0 is less than 1"),
        (["index", "{photos}", "--collection=p", "--index=magic"], "invalid choice: 'magic'"),
        (["index", "{photos}", "--collection=p", "--max-pixels=many"], "--max-pixels: .*many"),
        (["index", "{text}", "--collection=pets"], "cannot be (used|read).*Parquet"),
        (["snapshot", "pets"], "no collection 'pets'"),
        (["restore", "nowhere", "--collection=pets"], "nowhere cannot be restored"),
        (["restore", "{text}", "--collection=pets"], "its .sha256 must be there"),
        (["reembed", "pets"], "no collection 'pets'"),
        (["collections", "extra"], "unrecognized arguments: extra"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_says_why(
    run: Run,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.parquet").write_text("id,vector")
    places = {"photos": photos, "empty": tmp_path / "empty", "text": tmp_path / "text.parquet"}
    try:
        code = run(*(word.format(**places) for word in words))
    except SystemExit as ending:  # argparse's
        code = int(str(ending.code))
    assert code == 2
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith(f"python -m service {words[0]}: ")
    assert re.search(said, error[-1])


def test_a_collection_that_is_there_keeps_its_choices(
    run: Run, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("index", photos, "--collection=pets", "--index=exact")
    assert run("index", photos, "--collection=pets", "--loss=softmax", "--index=hnsw") == 2
    said = capsys.readouterr().err
    assert "loss ('arcface', not 'softmax'), index ('exact', not 'hnsw')" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith(f"usage: python -m service {name} ")
    assert COMMANDS[name][1:] in told
    assert "--data-dir" in told


def test_serving_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{summary}$", told, re.MULTILINE)


def test_what_a_command_needs_is_not_loaded_to_serve() -> None:
    needed = ("faiss", "onnxruntime", "pyarrow", "service.commands.index")
    code = f"import service.__main__, sys; print([n for n in {needed} if n in sys.modules])"
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert loaded.strip() == "[]"


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the commands of docs/collections.md run one after the other."""
    folder = tmp_path_factory.mktemp("documented")
    python = str(Path(sys.executable).parent)
    places = {"TMP": str(folder), "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
    return environment(LOSSATLAS_DATA_DIR=str(folder / "var"), LOSSATLAS_DEVICE="cpu", **places)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs GNU's tools")
@pytest.mark.parametrize(("line", "output"), EXAMPLES, ids=[line[:60] for line, _ in EXAMPLES])
def test_a_documented_command_says_what_is_shown(
    documented: dict[str, str], line: str, output: str
) -> None:
    if "parquet" in line:
        pytest.importorskip("pyarrow")
    line = line.replace("$TMP", documented["TMP"])
    shell = ["bash", "-euo", "pipefail", "-c", line]
    done = subprocess.run(
        shell, cwd=ROOT, env=documented, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    output = output.replace("$TMP", documented["TMP"])
    assert VARYING.sub("#", done.stdout.strip()) == VARYING.sub("#", output.strip())


def test_every_command_is_documented() -> None:
    for name in COMMANDS:
        assert f"$ python -m service {name}" in DOCS
