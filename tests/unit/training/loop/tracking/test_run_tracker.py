"""Nobody who does not follow runs pays for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.followed import follow
from training.checkpoints.run import RunFolder
from training.loop.tracking.run_tracker import UNTRACKED, Tracking, track_result

ROOT = Path(__file__).parents[5]
IMPORTED = """
import sys
from pathlib import Path
from tests.support.followed import follow
from training.loop.tracking.run_tracker import Tracking
for asked in (False, True):
    follow(Path(sys.argv[1]) / str(asked), Tracking(tensorboard=asked))
    print("here:", [name for name in ("tensorboard", "mlflow") if name in sys.modules])
"""


def test_a_tracker_is_imported_only_when_it_is_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IMPORTED, str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said = [line for line in ran.stdout.splitlines() if line.startswith("here:")]
    assert said == ["here: []", "here: ['tensorboard']"]  # the check can fail


def test_nothing_is_written_unless_asked_for(tmp_path: Path) -> None:
    follow(tmp_path, UNTRACKED)
    track_result(RunFolder(tmp_path), "test_accuracy", 0.5)
    assert not any((tmp_path / name).exists() for name in ("metrics", "tensorboard", "mlflow.json"))


def test_of_several_processes_only_the_first_one_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    follow(tmp_path, Tracking(csv=True))
    assert not (tmp_path / "metrics").exists()
