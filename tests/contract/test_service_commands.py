"""Commands of `python -m service` besides serving, as a user meets them."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from service.__main__ import main
from service.cli import COMMANDS
from tests.contract.conftest import Run
from tests.contract.test_service_start import ROOT, running
from tests.support.serving import PATIENCE_S


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


KILLED = """
import os, signal, sys
from service.__main__ import main
from service.collections.storage import backup
backup.sha256_of = lambda path: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""


def test_a_killed_snapshot_leaves_nothing_once_there_is_another(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    run("index", photos, "--collection=pets")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (somebodys := folder / f".pets-{'a' * 32}").write_text("not a snapshot")
    data, file = f"--data-dir={tmp_path / 'data'}", str(folder / "copy.db")
    command = [sys.executable, "-c", KILLED, "snapshot", "pets", "--to", file, data]
    for _ in range(2):
        killed = subprocess.run(command, check=False, cwd=ROOT, stderr=subprocess.DEVNULL)
        assert killed.returncode == -signal.SIGKILL
        left = [path for path in folder.iterdir() if path != somebodys]
        assert {path.suffix for path in left} == {"", ".lock"}
        assert len(left) == 2  # the second one has deleted the first one's
    assert run("snapshot", "pets", "--to", file) == 0
    assert {path.name for path in folder.iterdir()} == {
        "copy.db", "copy.db.sha256", somebodys.name
    }  # fmt: skip


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
        (["index", "{empty}", "--collection=pets"], "must have an image in it"),
        (["index", "{photos}", "--collection=pets", "--loss=nope"], "no published model 'nope'"),
        (["index", "{photos}", "--collection=Pets!"], "'Pets!'.*a-z, 0-9"),
        (["index", "{photos}", "--collection=gallery"], "'gallery'"),
        (["index", "{photos}"], "the following arguments are required: --collection"),
        (["index", "{photos}", "--collection=p", "--batch=0"], r"--batch: must be .* \(got '0'\)"),
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


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    help_text = " ".join(capsys.readouterr().out.split())
    assert help_text.startswith(f"usage: python -m service {name} ")
    assert COMMANDS[name][1:] in help_text
    assert "--data-dir" in help_text


def test_serving_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    help_text = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{summary}$", help_text, re.MULTILINE)


def test_what_a_command_needs_is_not_loaded_to_serve() -> None:
    needed = ("faiss", "onnxruntime", "pyarrow", "service.cli.index")
    code = f"import service.__main__, sys; print([n for n in {needed} if n in sys.modules])"
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert loaded.strip() == "[]"
