"""Processor time and memory of a server: all processes of its session, from /proc."""

import os
from pathlib import Path

from benchmarks.serving.results import Memory

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat after the command's name, which ends with a parenthesis.
_SESSION = 3
_TIMES = slice(11, 15)  # utime stime cutime cstime: its own, and of children that have ended


def cpu_s(session: int) -> float:
    """Processor seconds, in user and kernel mode, so far."""
    ticks = (sum(map(int, stat[_TIMES])) for stat in _members(session).values())
    return sum(ticks) / _TICKS_PER_S


def memory(session: int) -> Memory:
    """Return the memory that it occupies now."""
    pss = rss = 0
    members = _members(session)
    for process in members:
        try:
            lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        kib = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
        pss += kib["Pss"]
        rss += kib["Rss"]
    return Memory(
        pss_mib=round(pss / 1024, 1), rss_mib=round(rss / 1024, 1), processes=len(members)
    )


def _members(session: int) -> dict[int, list[str]]:
    found = {}
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(stat[_SESSION]) == session:
            found[int(folder.name)] = stat
    return found
