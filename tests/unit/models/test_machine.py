from pathlib import Path

import pytest

from models.machine import memory_kills, memory_limit_bytes, processors

V2 = "30 20 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw"
V1_CPU = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
MIB = 2**20


@pytest.fixture(autouse=True)
def _four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)


def machine(root: Path, mounts: list[str], groups: list[str], files: dict[str, str]) -> Path:
    """A machine's /proc and /sys."""
    written = {
        "proc/self/mountinfo": "\n".join(["20 1 0:1 / / rw - ext4 /dev/root rw", *mounts]),
        "proc/self/cgroup": "\n".join(groups),
        "proc/meminfo": "MemTotal:       16384000 kB\nMemFree:   1 kB",
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }
    for name, text in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 4), ("150000 100000", 2), ("900000 100000", 4), ("?", 4), ("1000 100000", 1)],
)
def test_version_2_in_a_container(tmp_path: Path, quota: str, expected: int) -> None:
    root = machine(tmp_path, [V2], ["0::/"], {"cpu.max": quota, "memory.max": "max"})
    assert (processors(root), memory_limit_bytes(root)) == (expected, None)


@pytest.mark.parametrize(
    ("quota", "period", "expected"), [("-1", "100000", 4), ("150000", "100000", 2), ("0", "0", 4)]
)
def test_version_1(tmp_path: Path, quota: str, period: str, expected: int) -> None:
    files = {
        "cpu,cpuacct/docker/7/cpu.cfs_quota_us": quota,
        "cpu,cpuacct/docker/7/cpu.cfs_period_us": period,
        "memory/docker/7/memory.limit_in_bytes": str(512 * MIB),
    }
    groups = ["4:memory:/docker/7", "2:cpu,cpuacct:/docker/7", "1:name=systemd:/docker/7"]
    root = machine(tmp_path, [V1_CPU, V1_MEMORY], groups, files)
    assert (processors(root), memory_limit_bytes(root)) == (expected, 512 * MIB)


def test_version_1_in_a_container_that_sees_only_its_own_group(tmp_path: Path) -> None:
    mounts = [mount.replace(" / /sys", " /docker/7 /sys") for mount in (V1_CPU, V1_MEMORY)]
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "100000",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": str(256 * MIB),
    }
    groups = ["4:memory:/docker/7", "2:cpu,cpuacct:/docker/7"]
    root = machine(tmp_path, mounts, groups, files)
    assert (processors(root), memory_limit_bytes(root)) == (1, 256 * MIB)


def test_the_least_of_nested_groups_holds(tmp_path: Path) -> None:
    files = {
        "pod.slice/cpu.max": "200000 100000",
        "pod.slice/memory.max": str(512 * MIB),
        "pod.slice/one/cpu.max": "300000 100000",
        "pod.slice/one/memory.max": str(1024 * MIB),
        "pod.slice/one/memory.events": "low 0\noom 5\noom_kill 3",
    }
    root = machine(tmp_path, [V2], ["0::/pod.slice/one"], files)
    assert (processors(root), memory_limit_bytes(root)) == (2, 512 * MIB)
    assert memory_kills(root) == 3


def test_both_versions_at_once(tmp_path: Path) -> None:
    unified = V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "100000",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2",
        "memory/memory.limit_in_bytes": "9223372036854771712",
    }
    groups = ["4:memory:/", "2:cpu,cpuacct:/", "0::/"]
    root = machine(tmp_path, [unified, V1_CPU, V1_MEMORY], groups, files)
    assert (processors(root), memory_limit_bytes(root)) == (1, None)
    assert memory_kills(root) == 2


def test_a_group_outside_what_is_mounted_is_not_looked_for(tmp_path: Path) -> None:
    root = machine(tmp_path, [V2], ["0::/../elsewhere"], {"memory.max": str(MIB)})
    assert memory_limit_bytes(root) == MIB


def test_more_than_the_machine_has_is_no_limit(tmp_path: Path) -> None:
    root = machine(tmp_path, [V2], ["0::/"], {"memory.max": str(2**50)})
    assert memory_limit_bytes(root) is None


def test_without_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert (processors(tmp_path), memory_limit_bytes(tmp_path)) == (4, None)
    assert memory_kills(tmp_path) == 0
