"""`torchrun -m training`: two processes give what one gives, stop together, and go on as one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.store import Store
from tests.e2e.conftest import ROOT, SAMPLE, training
from training.checkpoints.run import RunFolder

pytestmark = pytest.mark.torchrun

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def arguments(step: str, home: Path, *more: str | Path) -> list[str]:
    options = ("--epochs", "2", "--batch-size", "40", "--device", "cpu", "--precision", "float32")
    where = ("--runs", home / "runs", "--cache", home / "cache")
    return [step, "--loss", "center", "--data", *map(str, (SAMPLE, *options, *where, *more))]


def torchrun(*given: str) -> subprocess.CompletedProcess[str]:
    command = [*TORCHRUN, "-m", "training", *given]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def state(home: Path) -> dict[str, torch.Tensor]:
    run = RunFolder(home / "runs" / "center")
    found: dict[str, torch.Tensor] = run.load(run.checkpoint_path)["embedder"]
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by one process."""
    home = tmp_path_factory.mktemp("alone")
    done = training(*arguments("fit", home))
    assert done.returncode == 0, done.stderr
    return home


def test_two_processes_train_evaluate_and_publish_once(alone: Path, tmp_path: Path) -> None:
    done = torchrun(*arguments("run", tmp_path, "--registry", tmp_path / "registry"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("center  epoch 1/2") == 1
    assert done.stdout.count("center: published") == 1
    assert Store(tmp_path / "registry").versions("center") == (1,)
    command = RunFolder(tmp_path / "runs" / "center").record().command
    assert command.startswith("torchrun --nproc-per-node 2 -m training run")
    torch.testing.assert_close(state(tmp_path), state(alone), rtol=1e-2, atol=1e-3)


def test_ctrl_c_stops_both_and_one_process_goes_on(alone: Path, tmp_path: Path) -> None:
    command = [*TORCHRUN, "-m", "training", *arguments("fit", tmp_path)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 1/2" in line:
                process.send_signal(signal.SIGINT)
                break
        _, errors = process.communicate()
    assert process.returncode != 0
    assert errors.count("go on with the same command and --resume") == 1
    run = RunFolder(tmp_path / "runs" / "center")
    progress = run.load(run.checkpoint_path)["progress"]
    assert 8 <= 8 * progress["epoch"] + progress["step"] < 16

    resumed = training(*arguments("fit", tmp_path, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    torch.testing.assert_close(state(tmp_path), state(alone), rtol=1e-2, atol=1e-3)


def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    done = torchrun("fit", "--loss", "center", "--data", "nowhere", "--runs", str(tmp_path))
    assert done.returncode != 0
    assert done.stderr.count("error: there is no folder nowhere") == 1


def test_only_training_is_shared(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "export", "--loss", "center"]
    for rank, messages in (("0", 1), ("1", 0)):
        environment = os.environ | {"TORCHELASTIC_RUN_ID": "none", "RANK": rank}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.count("error: torchrun is for fit and run") == messages
