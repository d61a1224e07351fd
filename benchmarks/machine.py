"""The machine of a measurement."""

import os
import platform
from pathlib import Path

from benchmarks.measured import Machine

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


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


def short(commit: str | None) -> str:
    """Shorten a commit for tables."""
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
