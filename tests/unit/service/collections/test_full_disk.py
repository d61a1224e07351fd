"""A disk that is full, in truth: a small one in memory, in a namespace of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_MOUNTED = 'mount -t tmpfs -o size=8m none "$0" && exec "$@"'


def on_a_small_disk(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command while the folder is a disk of 8 MB."""
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNTED, str(folder), *command]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or on_a_small_disk(tmp_path, "true").returncode:
        pytest.skip("no file system can be mounted here")
    module = "tests.support.full_disk"
    ended = on_a_small_disk(tmp_path, sys.executable, "-m", module, str(tmp_path))
    assert ended.returncode == 0, ended.stderr
