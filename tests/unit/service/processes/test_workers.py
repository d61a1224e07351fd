import asyncio
import re
from pathlib import Path

import pytest

from service.processes import workers
from service.processes.workers import default_workers, loaded_by_any, wait_for_all_workers
from service.settings import Device


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
        waiting = asyncio.create_task(wait_for_all_workers(tmp_path, 2))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        (tmp_path / "here-of-another").touch()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(main())


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_PATIENCE_S", 0.05)
    asyncio.run(asyncio.wait_for(wait_for_all_workers(tmp_path, 2), 5))


def test_workers_fit_the_memory_limit(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    models = 65 * 2**20
    for limit_mib, expected in ((128, 1), (512, 1), (768, 2), (1024, 3), (2048, 4)):
        monkeypatch.setattr(workers, "memory_limit_bytes", lambda mib=limit_mib: mib * 2**20)
        assert default_workers("cpu", models) == expected


def test_the_advice_names_a_limit_that_holds_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "memory_limit_bytes", lambda: 256 * 2**20)
    monkeypatch.setattr(workers, "processors", lambda: 4)
    said = workers.memory_advice(4, 65 * 2**20)
    limit = int(re.findall(r"about (\d+) MiB for 4 workers", said)[0])
    assert "now 256 MiB" in said
    monkeypatch.setattr(workers, "memory_limit_bytes", lambda: limit * 2**20)
    assert default_workers("cpu", 65 * 2**20) == 4


def test_what_any_worker_has_loaded_is_known_to_all(tmp_path: Path) -> None:
    asyncio.run(wait_for_all_workers(tmp_path, 1, [("arcface", 2), ("center", 1)]))
    (tmp_path / "here-of-another").write_text('["softmax", 1]\n')
    assert loaded_by_any(tmp_path) == {("arcface", 2), ("center", 1), ("softmax", 1)}
