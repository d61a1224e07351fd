"""`--compile` trains to the same weights, up to rounding."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.e2e.conftest import SAMPLE, training
from training.checkpoints.run import RunFolder

pytestmark = pytest.mark.compile


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_backbone_learns_the_same(tmp_path: Path) -> None:
    found = []
    for name, more in (("plain", ()), ("compiled", ("--compile",))):
        done = training(
            *("fit", "--loss", "cosface", "--data", SAMPLE, "--epochs", "1", "--batch-size", "40"),
            *("--device", "cpu", "--runs", tmp_path / name, "--cache", tmp_path / "cache", *more),
        )
        assert done.returncode == 0, done.stderr
        run = RunFolder(tmp_path / name / "cosface")
        found.append(run.load(run.checkpoint_path)["embedder"])
    plain, compiled = found
    torch.testing.assert_close(compiled, plain, rtol=1e-2, atol=1e-3)
