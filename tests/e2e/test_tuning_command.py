"""`python -m training tune`: killed at any moment, it ends as if it had never stopped."""

import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, SAMPLE, training
from tests.support.commands import training_here
from training.recipes.recipe import Recipe


def tune(runs: Path) -> list[str | Path]:
    start = runs.parent / "start.toml"
    start.write_text("batch_size = 40\nwarmup = 0.3\n")
    options = ("--epochs", "2", "--trials", "2", "--size-px", "16", "--recipe", start)
    places = ("--runs", runs, "--cache", runs.parent / "cache", "--write-recipe", runs / "chosen")
    return ["tune", "--loss", "softmax", "--data", SAMPLE, *options, *places]


def chosen(runs: Path) -> str:
    return "\n".join(
        line
        for line in (runs / "chosen" / "softmax.toml").read_text().splitlines()
        if not line.startswith("# ")
    )


@pytest.mark.trained
def test_a_killed_study_goes_on_to_the_same_recipe_which_run_accepts(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    ended = training(*tune(whole))
    assert ended.returncode == 0
    assert "budget of softmax: 2 trials of 2 epochs" in ended.stdout

    command = [sys.executable, "-m", "training", *map(str, tune(broken))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        firsts = 0
        for line in process.stdout:
            firsts += "epoch 1/2" in line
            if firsts == 2:  # in the middle of the second trial
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    assert not (broken / "chosen").exists()

    resumed = training(*tune(broken))
    assert resumed.returncode == 0
    assert chosen(broken) == chosen(whole)
    table = [out.stdout.splitlines()[-1].split() for out in (ended, resumed)]
    assert table[0] == table[1]
    assert table[0][:3] == ["softmax", "2", "4"]

    fit = training(
        *("fit", "--loss", "softmax", "--recipe", broken / "chosen", "--epochs", "1"),
        *("--data", SAMPLE, "--runs", tmp_path / "runs", "--cache", tmp_path / "cache"),
    )
    assert fit.returncode == 0


def test_a_loss_is_tuned_on_a_frozen_trunk_whose_features_are_computed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ("--runs", tmp_path / "runs", "--cache", tmp_path / "cache", "--data", SAMPLE)
    quick = ("--epochs", "1", "--batch-size", "40", "--size-px", "16")
    assert training_here("fit", "--loss", "softmax", *places, *quick) == 0
    trunk = ("--trunk", tmp_path / "runs" / "softmax", "--size-px", "16")
    study = ("tune", "--loss", "arcface", *places, *trunk, "--trials", "2", "--epochs", "1")
    assert training_here(*study) == 0
    assert capsys.readouterr().out.count("embedding, view 1 of 1") == 2  # training and test images
    written = Recipe.model_validate(
        tomllib.loads((tmp_path / "runs" / "tuning" / "arcface" / "recipe.toml").read_text())
    )
    assert written.frozen
    assert len(written.weights_sha256) == 64
