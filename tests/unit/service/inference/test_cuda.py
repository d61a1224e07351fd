"""The GPU's sessions, run for real on the processor; what only a GPU can show is skipped here."""

import ctypes
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

from models.errors import BundleDamaged
from service.errors import DeviceUnavailable
from service.inference import cuda
from service.inference.buckets import Buckets
from service.inference.cuda import CudaSession, Gpu
from service.inference.device import CPU, CUDA, TENSORRT, choose_provider
from service.inference.session import Outputs, Session
from service.inference.work import Pixels
from tests.support.bundles import Recipe, publish, run


def has_gpu() -> bool:
    return choose_provider("auto") == CUDA


def pictures(n: int, seed: int = 1, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def test_it_answers_as_the_plain_session_does(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    plain, padded = Session(bundle, CPU, threads=1), CudaSession(bundle, CPU, Gpu(max_batch=16))
    assert padded.sizes == (1, 2, 4, 8, 16)
    for n in range(1, 41):
        found, expected = padded.run(pictures(n, n)), plain.run(pictures(n, n))
        np.testing.assert_allclose(found.embedding, expected.embedding, atol=1e-6)
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)


def test_any_thread_may_run_any_model_at_any_time(tmp_path: Path) -> None:
    """They share one staging memory: answers would mix if two ran at once."""
    gpu = Gpu(max_batch=8)
    recipes = [Recipe(seed=0), Recipe(seed=1), Recipe(seed=2, size_px=6)]
    bundles = [publish(tmp_path, f"m{i}", recipe) for i, recipe in enumerate(recipes)]
    sessions = [CudaSession(bundle, CPU, gpu) for bundle in bundles]

    def check(number: int) -> None:
        which = number % len(recipes)
        images = pictures(1 + number % 11, number, recipes[which].size_px)
        expected, _ = run(bundles[which].model_path, images)
        np.testing.assert_allclose(sessions[which].run(images).embedding, expected, atol=1e-6)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(check, range(120)))


def test_everything_happens_on_the_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    class Watched(Buckets):
        def record(self) -> tuple[int, ...]:
            threads.add(threading.current_thread().name)
            return super().record()

        def run(self, images: Pixels) -> Outputs:
            threads.add(threading.current_thread().name)
            time.sleep(0.005)  # long enough for another thread to begin, if there were one
            return super().run(images)

    monkeypatch.setattr(cuda, "Buckets", Watched)
    session = CudaSession(publish(tmp_path), CPU, Gpu(max_batch=2))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(session.run, [pictures(1)] * 8))
    assert threads == {"cuda_0"}


def test_a_graph_that_cannot_be_recorded_is_run_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Unrecordable(Buckets):
        def record(self) -> tuple[int, ...]:
            asked.append(self.sizes)
            raise EPFail("operation not permitted when stream is capturing")

    monkeypatch.setattr(cuda, "Buckets", Unrecordable)
    bundle = publish(tmp_path)
    session = CudaSession(bundle, CPU, Gpu(max_batch=4))
    assert asked == [(1, 2, 4)]
    expected, _ = run(bundle.model_path, pictures(3))
    np.testing.assert_allclose(session.run(pictures(3)).embedding, expected, atol=1e-6)


def test_a_file_that_is_no_graph_is_damaged(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    bundle.model_path.write_bytes(b"nonsense")
    with pytest.raises(BundleDamaged, match="onnxruntime cannot load it"):
        CudaSession(bundle, CPU, Gpu(max_batch=2))


def test_tensorrt_has_a_folder_for_each_graph_and_never_tf32(tmp_path: Path) -> None:
    """Two models of one architecture differ in their weights alone."""
    gpu = Gpu(engines=tmp_path / "engines")
    folders = set()
    for seed in (0, 1):
        bundle = publish(tmp_path / "registry", f"m{seed}", Recipe(seed=seed))
        options = cuda._options(bundle, TENSORRT, gpu, record=False)
        assert options[CUDA]["use_tf32"] == "0"
        folders.add(options[TENSORRT]["trt_engine_cache_path"])
    assert len(folders) == 2
    assert all(Path(folder).is_dir() for folder in folders)


class Driver:
    """Stands in for NVIDIA's: its memory is ordinary."""

    def __init__(self, code: int) -> None:
        self._code = code
        self._libc = ctypes.CDLL(None)
        self._libc.malloc.restype = ctypes.c_void_p

    def cuMemHostAlloc(self, address: object, size: object, flags: object) -> int:  # noqa: N802
        if self._code == 0:
            address._obj.value = self._libc.malloc(size)  # type: ignore[attr-defined]
        return self._code


@pytest.mark.skipif(sys.platform == "win32", reason="takes malloc from libc")
@pytest.mark.parametrize("code", [0, 2])  # 2 is CUDA_ERROR_OUT_OF_MEMORY
def test_staging_memory_is_the_drivers_or_else_ordinary(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda, "load_driver", lambda: Driver(code))
    gpu = Gpu(max_batch=3)
    staging = gpu.call(gpu.staging, CUDA, 8)
    assert staging is gpu.call(gpu.staging, CUDA, 8)
    assert staging.shape == (3, 8, 8, 3)
    assert staging.dtype == np.uint8
    staging[:] = pictures(3)
    np.testing.assert_array_equal(staging, pictures(3))


@pytest.mark.skipif("has_gpu()", reason="CUDA works here")
@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
def test_it_never_falls_back_to_the_processor(
    tmp_path: Path, provider: str, capfd: pytest.CaptureFixture[str]
) -> None:
    gpu = Gpu(max_batch=2, engines=tmp_path / "engines")
    with pytest.raises((DeviceUnavailable, BundleDamaged)):
        CudaSession(publish(tmp_path), provider, gpu)  # type: ignore[arg-type]
    assert "Falling back" not in capfd.readouterr().out  # as onnxruntime does by default


@pytest.mark.skipif("not has_gpu()", reason="onnxruntime finds no usable NVIDIA GPU here")
def test_cuda_answers_as_the_processor_does(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    session = CudaSession(bundle, CUDA, Gpu(max_batch=16))
    assert session.nodes[CUDA] > 0
    for n in range(1, 41):
        expected, _ = run(bundle.model_path, pictures(n, n))
        np.testing.assert_allclose(session.run(pictures(n, n)).embedding, expected, atol=1e-4)


@pytest.mark.skipif("not has_gpu()", reason="onnxruntime finds no usable NVIDIA GPU here")
def test_staging_memory_is_page_locked(tmp_path: Path) -> None:
    gpu = Gpu(max_batch=4)
    CudaSession(publish(tmp_path), CUDA, gpu)
    staging = gpu.call(gpu.staging, CUDA, 8)
    assert staging.shape == (4, 8, 8, 3)
    assert not staging.flags.owndata
