"""Memory that was freed serves the next tensor, without the system's help."""

import os
import platform
import subprocess
import sys

import pytest

PAGES_OF_ONE = 40 * 2**20 // 4096
PROGRAM = """
import resource, sys, torch
from training.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
for _ in range(20):  # malloc first tries a few places
    torch.ones(10 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(10 * 2**20)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def ran(mode: str, **environment: str) -> tuple[bool, int]:
    """Whether memory is kept, and how many pages ten tensors of 40 MiB asked for."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, pages = done.stdout.split()
    return kept == "True", int(pages)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_tensors_of_the_same_size_use_the_same_pages() -> None:
    kept, pages = ran("keep")
    assert kept
    assert pages < PAGES_OF_ONE / 10
    assert ran("leave")[1] > pages


def test_settings_of_the_environment_are_left_alone() -> None:
    assert not ran("keep", MALLOC_ARENA_MAX="2")[0]
