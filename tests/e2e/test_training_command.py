"""`python -m training` stops without losing anything, and says what is wrong in one line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.files import sha256_of
from tests.e2e.conftest import ROOT, SAMPLE, training
from tests.support.commands import training_here
from training.checkpoints.run import RunFolder


def fit(runs: Path, *more: str) -> list[str | Path]:
    options = ("--epochs", "2", "--batch-size", "40", "--cache", runs.parent / "cache")
    return ["fit", "--loss", "center", "--data", SAMPLE, "--runs", runs, *options, *more]


@pytest.mark.trained
def test_ctrl_c_leaves_a_checkpoint_that_resumes_to_the_same_result(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert training(*fit(whole)).returncode == 0

    command = [sys.executable, "-m", "training", *map(str, fit(broken))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 1/2" in line:
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
    assert process.returncode == 130
    folder = RunFolder(broken / "center")
    assert 8 <= steps_done(folder) < 16

    assert training(*fit(broken, "--resume")).returncode == 0
    finished = RunFolder(whole / "center")
    ours, theirs = (run.load(run.checkpoint_path)["embedder"] for run in (folder, finished))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def steps_done(folder: RunFolder) -> int:
    progress = folder.load(folder.checkpoint_path)["progress"]
    return int(progress["epoch"]) * 8 + int(progress["step"])


def test_a_run_is_taught_by_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ("--epochs", "1", "--batch-size", "40")
    common = ("fit", "--data", SAMPLE, *small, "--cache", tmp_path / "cache")
    first, second = (tmp_path / name for name in ("first", "second"))
    assert training_here(*common, "--loss", "center", "--runs", first) == 0
    taught = ("--loss", "softmax", "--runs", second, "--teacher", first / "center")
    assert training_here(*common, *taught) == 0
    recipe = RunFolder(second / "softmax").record().recipe
    assert recipe.teachers == (str(first / "center"),)
    assert recipe.teachers_sha256 == (sha256_of(RunFolder(first / "center").checkpoint_path),)

    assert training_here(*common, *taught, "--seed", "1", "--runs", tmp_path / "third") == 1
    assert "was trained on images that this run holds out" in capsys.readouterr().err

    written = tmp_path / "taught.toml"
    written.write_text(f'teachers = ["{first / "center"}"]\nsize_px = 32\n')
    tuned = training_here(
        *("tune", "--loss", "softmax", "--data", SAMPLE, "--recipe", written, "--seed", "1"),
        *("--runs", tmp_path / "tuned", "--cache", tmp_path / "cache"),
    )
    assert tuned == 1
    assert "was trained on images that this run holds out" in capsys.readouterr().err

    unknowns = ("unknowns", "--loss", "softmax", "--runs", second, "--cache", tmp_path / "cache")
    assert training_here(*unknowns) == 0
    (beside,) = RunFolder(second / "softmax").unknown_rounds()
    assert beside.record().recipe.teachers == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--loss", "softmax", "--data", "nowhere"], "there is no folder nowhere;"),
        (["evaluate", "--loss", "softmax"], "holds no run; start one: python -m training fit"),
        (
            ["fit", "--loss", "softmax", "--data", "x", "--recipe", "y.toml"],
            "no recipe file y.toml",
        ),
        (
            ["fit", "--loss", "arcface", "--data", "x", "--teacher", "y"],
            "teach a softmax run, then --trunk",
        ),
        (
            ["fit", "--loss", "softmax", "--data", "x", "--size-px", "32", "--teacher", "y"],
            "y holds no trained run to be a teacher",
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_1(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert training_here(*arguments, "--runs", tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert message in said


def test_an_unknown_loss_is_refused_with_the_names_that_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert training_here("fit", "--loss", "hinge", "--data", "x") == 2
    assert "arcface" in capsys.readouterr().err


def test_a_process_says_it_as_well() -> None:
    """The one of these that starts `python -m training`."""
    answer = training("fit", "--loss", "softmax", "--data", "nowhere")
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: ")
    assert "Traceback" not in answer.stderr
