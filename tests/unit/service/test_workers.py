import asyncio
from pathlib import Path

import pytest

from service import workers
from service.settings import Device
from service.workers import default_workers, meet


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four processors, and no GPU."""
    monkeypatch.setattr(workers, "processors", lambda: 4)
    monkeypatch.setattr(workers, "why_no_gpu", lambda: "none")


@pytest.mark.parametrize(("device", "expected"), [("cpu", 4), ("auto", 4), ("cuda", 1)])
def test_a_processor_gets_a_worker(machine: None, device: Device, expected: int) -> None:
    assert default_workers(device) == expected


def test_a_gpu_is_owned_by_one(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "why_no_gpu", lambda: None)
    assert (default_workers("auto"), default_workers("cpu")) == (1, 4)


def test_there_are_no_more_than_memory_allows(
    machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "processors", lambda: 64)
    assert default_workers("cpu") == 8


def test_workers_wait_for_one_another(tmp_path: Path) -> None:
    async def main() -> None:
        waiting = asyncio.create_task(meet(tmp_path, 2))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        (tmp_path / "here-of-another").touch()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(main())


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_PATIENCE_S", 0.05)
    asyncio.run(asyncio.wait_for(meet(tmp_path, 2), 5))
