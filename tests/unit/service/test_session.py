from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from models.bundle import Bundle
from models.errors import BundleDamaged
from models.manifest import Manifest
from service.device import CPU, CUDA, choose_provider
from service.errors import DeviceUnavailable
from service.session import Session
from tests.bundles import Recipe, graph, manifest, publish, run


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


def test_cpu_is_what_it_says() -> None:
    assert choose_provider("cpu") == CPU


@pytest.mark.skipif("has_gpu()", reason="CUDA works here")
def test_cuda_is_refused_where_onnxruntime_would_fall_back(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match=r"device 'cuda' cannot be used: .+ Or choose"):
        choose_provider("cuda")
    assert choose_provider("auto") == CPU
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
