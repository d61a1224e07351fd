"""A model that failed to load for want of something that passes is not damaged."""

import asyncio
import errno
import sys
from pathlib import Path

import pytest

from models.errors import BundleDamaged
from models.store import Store
from service.errors import ModelNotReady
from service.inference.batch_limits import Limits
from service.inference.batcher import Batcher
from service.inference.catalog import Catalog
from service.inference.decode import Decoder
from service.inference.device import CPU
from service.inference.engine import Engine, LoadedModel
from service.inference.executor import InferenceExecutor
from service.inference.loader import Loader
from service.inference.model_entry import RetrySchedule
from service.inference.pixel_budget import PixelBudget
from service.machine.open_files import is_passing
from tests.support.bundles import publish
from tests.support.serving import PATIENCE_S

if sys.platform == "win32":
    pytest.skip("its handles are not counted", allow_module_level=True)

import resource


def test_a_model_is_loaded_once_there_are_handles_again(tmp_path: Path) -> None:
    publish(tmp_path, "arcface")
    publish(tmp_path, "arcface")
    loader = Loader(Store(tmp_path), CPU, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def load(name: str, version: int) -> LoadedModel:
        return loader.load(name, version)

    def serve(model: LoadedModel) -> Engine:
        batcher = Batcher(model.session.run, Limits(8, 8), InferenceExecutor(1), lambda *_: None)
        return Engine(model, Decoder(PixelBudget(10_000), 1, lambda _: None), batcher)

    async def ask() -> None:
        catalog = Catalog({"arcface": (1, 2)}, "arcface", load, serve)
        await asyncio.to_thread(int)  # a thread needs handles of its own to begin
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            catalog.start()
            await catalog.loaded()
            for version in (None, 1):
                with pytest.raises(ModelNotReady):
                    await catalog.engine("arcface", version)
            assert [one.state for one in catalog.versions("arcface")] == ["loading", "published"]
            assert not catalog.ready
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        async with asyncio.timeout(PATIENCE_S):
            while not catalog.ready or catalog.entry("arcface", 1).engine is None:
                await asyncio.sleep(0.05)
        assert [one.state for one in catalog.versions("arcface")] == ["ready", "ready"]
        await catalog.stop()

    asyncio.run(ask())


def test_pauses_grow_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("service.inference.model_entry.monotonic", lambda: now)
    attempts, pauses = RetrySchedule(), []
    for _ in range(9):
        assert attempts.is_due()
        attempts.fail()
        began = now
        while not attempts.is_due():
            now += 0.5
        pauses.append(now - began)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_passes_is_known_by_its_cause() -> None:
    lost = OSError(errno.EMFILE, "Too many open files")
    assert is_passing(lost)
    assert is_passing(MemoryError())
    damaged = BundleDamaged("arcface", 1, "manifest.json: it cannot be read")
    damaged.__cause__ = lost
    assert is_passing(damaged)
    assert not is_passing(BundleDamaged("arcface", 1, "model.onnx is missing"))
    assert not is_passing(FileNotFoundError(errno.ENOENT, "gone"))
