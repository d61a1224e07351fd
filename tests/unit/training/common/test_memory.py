"""Memory that was freed serves the next step's tensors, without the system's help."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

STEP_PAGES = sum(40 + size for size in range(6)) * 2**20 // 4096
PROGRAM = """
import resource, torch

def step():  # tensors over 32 MiB, which malloc keeps for nobody by default
    held = [torch.ones((40 + size) * 2**18) for size in range(6)]

for _ in range(10):  # malloc first tries a few places
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
KEEP = "from training.common.memory import keep_freed_memory\nassert keep_freed_memory()\n"
COMMAND = """
import sys
from training.__main__ import main
sys.argv = ["training", "evaluate", "--loss", "softmax", "--runs", "nowhere"]
assert main() == 1
"""


def answer(program: str, folder: Path, **environment: str) -> str:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    here = {"PYTHONPATH": str(Path(__file__).parents[4])}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=inherited | here | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
@pytest.mark.parametrize(
    "first",
    [pytest.param(KEEP, marks=pytest.mark.variant), COMMAND],
    ids=["by itself", "by a command"],
)
def test_the_tensors_of_a_step_use_the_pages_of_the_one_before(first: str, tmp_path: Path) -> None:
    assert int(answer(first + PROGRAM, tmp_path)) < STEP_PAGES / 10


@pytest.mark.variant
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_by_default_they_use_new_pages(tmp_path: Path) -> None:
    assert int(answer(PROGRAM, tmp_path)) > STEP_PAGES


def test_settings_of_the_environment_are_left_alone(tmp_path: Path) -> None:
    program = "from training.common.memory import keep_freed_memory\nprint(keep_freed_memory())"
    assert answer(program, tmp_path, MALLOC_ARENA_MAX="2") == "False"
