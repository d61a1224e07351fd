"""One stage of a benchmark in a process of its own, whose memory and caches are its own."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_SHOWN = 3000  # characters at the end of what it wrote


class StageFailed(Exception):
    """The process did not come to its end."""


def run_module(module: str, *arguments: str, timeout_s: float | None = None) -> str:
    """Run `python -m module`; returns its last line. Raises StageFailed and TimeoutExpired."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=timeout_s
    )
    if done.returncode:
        raise StageFailed(f"{' '.join((module, *arguments))} failed:\n{done.stderr[-_SHOWN:]}")
    return done.stdout.splitlines()[-1]
