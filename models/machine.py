"""The processors and memory that this process may use, as its container allows.

Control groups nest, and each one's limit holds for those inside it. Both versions are read, below
the process's own group and each above it that can be seen.
"""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_ROOT = Path("/")


def processors(root: Path = _ROOT) -> int:
    """Processors that this process may use: by its affinity, and by its groups' quotas."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    quotas = (_quota(group) for group in _groups("cpu", root))
    return max(1, min([allowed, *(ceil(quota) for quota in quotas if quota is not None)]))


def memory_limit_bytes(root: Path = _ROOT) -> int | None:
    """The least memory that any of its groups may use; None where none is limited."""
    machine = _memory_of_the_machine(root)
    limits = (_memory_limit(group) for group in _groups("memory", root))
    found = [limit for limit in limits if limit is not None and limit < (machine or limit + 1)]
    return min(found, default=None)


def memory_kills(root: Path = _ROOT) -> int:
    """Count the processes of its group that the kernel has ended for want of memory so far."""
    counts = (
        int(value)
        for group in _groups("memory", root)
        for file in ("memory.events", "memory.oom_control")
        for key, value in _pairs(group.path / file)
        if key == "oom_kill" and value.isdecimal()
    )
    return max(counts, default=0)


class _Group(NamedTuple):
    path: Path
    version: int


def _groups(controller: str, root: Path) -> Iterator[_Group]:
    """The process's own group, then those around it, in each hierarchy that has the controller."""
    for line in _lines(root / "proc/self/mountinfo"):
        fields, _, file_system = line.partition(" - ")
        kind, _, options = [*file_system.split(), "", "", ""][:3]
        if kind not in ("cgroup", "cgroup2") or len(fields.split()) < 5:
            continue
        if kind == "cgroup" and controller not in options.split(","):
            continue
        version = 2 if kind == "cgroup2" else 1
        top, mounted = (PurePosixPath(part) for part in fields.split()[3:5])
        own = _own(controller if version == 1 else "", root)
        inside = own.relative_to(top) if own.is_relative_to(top) else PurePosixPath()
        base = root / mounted.relative_to("/")
        for path in (inside, *inside.parents):
            yield _Group(base / path, version)


def _own(controller: str, root: Path) -> PurePosixPath:
    for line in _lines(root / "proc/self/cgroup"):
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if controller in names.split(",") and ".." not in path:
            return PurePosixPath(path)
    return PurePosixPath("/")


def _quota(group: _Group) -> float | None:
    if group.version == 2:
        words = _text(group.path / "cpu.max").split()
    else:
        files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        words = [_text(group.path / file).strip() for file in files]
    if len(words) != 2 or not all(word.isdecimal() and int(word) for word in words):
        return None  # "max", -1, or nothing to read
    return int(words[0]) / int(words[1])


def _memory_limit(group: _Group) -> int | None:
    file = "memory.max" if group.version == 2 else "memory.limit_in_bytes"
    text = _text(group.path / file).strip()
    return int(text) if text.isdecimal() else None


def _memory_of_the_machine(root: Path) -> int | None:
    for key, value in _pairs(root / "proc/meminfo"):
        if key == "MemTotal:":
            return int(value.split()[0]) * 1024
    return None


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    for line in _lines(path):
        key, _, value = line.partition(" ")
        yield key, value.strip()


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # outside Linux, or not to be seen from here
        return ""
