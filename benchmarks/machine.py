"""The machine of a measurement, and the code that was measured."""

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measured import Machine

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_FOLDER = Path(__file__).parent


def machine() -> Machine:
    """This machine."""
    processor = _fields(Path("/proc/cpuinfo"))
    memory = _fields(Path("/proc/meminfo"))
    flags = processor.get("flags", "").split()
    return Machine(
        processor=processor.get("model name", platform.machine()),
        cores=len(os.sched_getaffinity(0)),
        flags=tuple(flag for flag in _FLAGS if flag in flags),
        memory_mib=int(memory["MemTotal"].split()[0]) // 1024,
        kernel=platform.release(),
        load_average=round(os.getloadavg()[0], 2),
    )


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions of Python and of the packages that decide; absent ones left out."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The code's git commit, with + where tracked files differ from it."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        answer = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def short(commit: str | None) -> str:
    """As tables tell it."""
    if commit is None:
        return "unknown"
    return commit[:12] + ("+" if commit.endswith("+") else "")


def _fields(file: Path) -> dict[str, str]:
    """`name: value` of each line; of a name that comes again, the first."""
    fields: dict[str, str] = {}
    for line in file.read_text().splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields
