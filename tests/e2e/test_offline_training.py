"""Training, exporting, evaluating and publishing never look a name up, without CI's variables."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, SAMPLE
from tests.support import offline

pytestmark = [
    pytest.mark.trained,
    pytest.mark.skipif(not offline.SUPPORTED, reason="needs Linux's seccomp"),
]


def test_a_run_looks_nothing_up(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    places = (f"--{name}={tmp_path / name}" for name in ("runs", "registry", "cache"))
    steps = ("run", "--loss=softmax", f"--data={SAMPLE}", "--epochs=1", "--batch-size=40")
    command = [sys.executable, "-m", "training", *steps, *places]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.offline", *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr  # -SIGSYS where it asked for an address
    assert (tmp_path / "registry" / "softmax" / "1" / "manifest.json").is_file()
    assert not [path for path in home.rglob("*") if "onnxruntime" in str(path).lower()]
