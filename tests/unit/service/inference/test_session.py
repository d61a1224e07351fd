import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from models.bundle import Bundle
from models.errors import BundleDamaged
from models.manifest import Manifest
from service.errors import DeviceUnavailable
from service.inference.device import CPU, CUDA, choose_provider
from service.inference.session import Session, join
from tests.support.bundles import Recipe, graph, manifest, publish, run


def has_gpu() -> bool:
    return choose_provider("auto") == CUDA


def test_outputs_are_onnxruntimes_own(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    outputs = Session(bundle, CPU, threads=1).run(images)
    embedding, probabilities = run(bundle.model_path, images)
    np.testing.assert_allclose(outputs.embedding, embedding, atol=1e-6)
    np.testing.assert_allclose(outputs.probabilities, probabilities, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(outputs.embedding, axis=1), 1, atol=1e-6)


def test_a_graph_that_the_manifest_does_not_describe_is_damaged(tmp_path: Path) -> None:
    onnx.save(graph(Recipe(dimension=5)), tmp_path / "model.onnx")
    bundle = Bundle(tmp_path, manifest("arcface", 1, Recipe(dimension=4)))
    with pytest.raises(BundleDamaged, match="where the manifest says"):
        Session(bundle, CPU, threads=1)


def test_a_file_that_is_no_graph_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"nonsense")
    described: Manifest = manifest("arcface", 1, Recipe())
    with pytest.raises(BundleDamaged, match="arcface/1 is damaged: onnxruntime cannot load it"):
        Session(Bundle(tmp_path, described), CPU, threads=1)


def test_every_node_is_on_the_provider_that_was_asked_for(tmp_path: Path) -> None:
    session = Session(publish(tmp_path), CPU, threads=1)
    assert session.provider == CPU
    assert list(session.nodes) == [CPU]
    assert session.nodes[CPU] >= 5


def test_a_provider_that_takes_no_node_is_not_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed, and yet idle: TensorRT does this with a graph that it supports no node of."""
    monkeypatch.setattr("service.inference.session._nodes", lambda session: {CUDA: 7})
    with pytest.raises(DeviceUnavailable, match=r"opened arcface/1 not on CPU.+, but on"):
        Session(publish(tmp_path), CPU, threads=1)


def test_sessions_run_at_once_from_any_thread(tmp_path: Path) -> None:
    """They share one arena."""
    bundles = [publish(tmp_path, f"m{seed}", Recipe(seed=seed)) for seed in range(3)]
    sessions = [Session(bundle, CPU, threads=1) for bundle in bundles]

    def check(number: int) -> None:
        rng = np.random.default_rng(number)
        images = rng.integers(0, 256, (1 + number % 9, 8, 8, 3), dtype=np.uint8)
        expected, _ = run(bundles[number % 3].model_path, images)
        found = sessions[number % 3].run(images).embedding
        np.testing.assert_allclose(found, expected, atol=1e-6)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(check, range(90)))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_models_share_the_memory_of_their_runs(tmp_path: Path) -> None:
    recipe = Recipe(size_px=64, gallery=1, thumbnails=False)
    bundles = [publish(tmp_path, f"m{number}", recipe) for number in range(5)]
    sessions = [Session(bundle, CPU, threads=1) for bundle in bundles]
    images = np.zeros((256, 64, 64, 3), np.uint8)  # 12 MiB as float32, and more than once
    sessions[0].run(images)
    before = resident_mib()
    for session in sessions[1:]:
        session.run(images)
    assert resident_mib() - before < 24


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_joined_outputs_keep_their_order(tmp_path: Path) -> None:
    session = Session(publish(tmp_path), CPU, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    joined = join([session.run(images[:2]), session.run(images[2:])])
    whole = session.run(images)
    np.testing.assert_allclose(joined.embedding, whole.embedding, atol=1e-6)
    np.testing.assert_allclose(joined.probabilities, whole.probabilities, atol=1e-6)


@pytest.mark.skipif("has_gpu()", reason="CUDA works here")
def test_cuda_is_refused_where_onnxruntime_would_fall_back(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="arcface/1"):
        Session(publish(tmp_path), CUDA, threads=1)


@pytest.mark.skipif("not has_gpu()", reason="onnxruntime finds no usable NVIDIA GPU here")
def test_cuda_answers_as_the_cpu_does(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    session = Session(bundle, choose_provider("cuda"), threads=1)
    assert session.provider == CUDA
    embedding, _ = run(bundle.model_path, images)
    np.testing.assert_allclose(session.run(images).embedding, embedding, atol=1e-4)


def test_onnxruntime_really_falls_back_silently(tmp_path: Path) -> None:
    """The reason for all of this: asking for CUDA alone raises nothing."""
    if has_gpu():
        pytest.skip("CUDA works here")
    session = onnxruntime.InferenceSession(publish(tmp_path).model_path, providers=[CUDA])
    assert session.get_providers() == [CPU]
