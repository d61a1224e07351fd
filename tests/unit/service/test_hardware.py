from pathlib import Path

import pytest

from service import hardware
from service.hardware import give_back_memory, processors


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 4), ("150000 100000", 2), ("900000 100000", 4), ("?", 4)]
)
def test_a_container_has_the_processors_of_its_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, expected: int
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(f"{quota}\n", encoding="ascii")
    monkeypatch.setattr(hardware, "_QUOTA", file)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert processors() == expected


def test_without_a_quota_the_affinity_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hardware, "_QUOTA", tmp_path / "none")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3}, raising=False)
    assert processors() == 1


def test_giving_memory_back_never_fails() -> None:
    give_back_memory()
