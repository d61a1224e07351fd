"""Five tiny models, trained, evaluated, exported and published by the command line."""

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "data" / "cifar10-sample"
ROOT = Path(__file__).parents[2]


def training(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`python -m training` with these arguments, as a person runs it."""
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `registry` and `runs`, made by one command from real photographs."""
    home = tmp_path_factory.mktemp("trained")
    done = training(
        *("run", "--loss", "all", "--data", SAMPLE, "--epochs", "1", "--batch-size", "40"),
        *("--runs", home / "runs", "--registry", home / "registry", "--cache", home / "cache"),
    )
    assert done.returncode == 0, done.stderr
    return home
