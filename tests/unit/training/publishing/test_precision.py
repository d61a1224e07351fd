"""A published model gets an int8 graph: real convolutions, quantized, calibrated and measured."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto

from models.bundle import GALLERY, GOLDEN, INT8_GALLERY, INT8_MODEL, MODEL, REPORT
from models.manifest import Manifest
from models.report import Report
from models.store import Store
from training.data.dataset import CalibrationSplit, LabeledImages, Splits
from training.errors import ExportMismatch
from training.evaluation.graph import Graph
from training.export.onnx import open_session, run
from training.export.quantize import cosines, quantize
from training.publishing import precision
from training.publishing.precision import add_int8

REGISTRY = Path(__file__).parents[4] / "models" / "registry"


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """The golden images of a published model, in different light: enough to take ranges from."""
    golden = Store(REGISTRY).load("softmax", 2).golden().images.astype(np.float32)
    lit = [np.clip(golden * factor, 0, 255) for factor in np.linspace(0.6, 1.2, 10)]
    found: np.ndarray = np.concatenate(lit).astype(np.uint8)
    return found


def splits(images: np.ndarray) -> Splits:
    """Of which the labels are what the model says, but for every tenth."""
    model = Store(REGISTRY).load("softmax", 2)
    said = run(open_session(model.model_path), images)[1].argmax(axis=1)
    said[::10] = (said[::10] + 1) % 10
    bundle_ids = model.gallery().ids

    def part(rows: slice) -> LabeledImages:
        numbers = np.arange(len(images))[rows]
        ids = tuple(bundle_ids[number] for number in numbers)
        return LabeledImages(torch.tensor(images[numbers]), torch.tensor(said[numbers]), ids)

    every = slice(None)
    return Splits(part(every), part(slice(0, 32)), CalibrationSplit(part(every)), part(every))


def whole(folder: Path, images: np.ndarray) -> Manifest:
    """A bundle's files in a folder, with a gallery and a golden batch of these images."""
    bundle = Store(REGISTRY).load("softmax", 2)
    for name in (MODEL, REPORT):
        (folder / name).write_bytes((bundle.path / name).read_bytes())
    golden = images[:32][::2]
    embedding, probabilities = run(open_session(folder / MODEL), golden)
    np.savez(folder / GOLDEN, images=golden, embedding=embedding, probabilities=probabilities)
    vectors = run(open_session(folder / MODEL), images[:20])[0]
    ids = np.array(bundle.gallery().ids[:20])
    np.savez(folder / GALLERY, embeddings=vectors, labels=np.zeros(20, np.int64), ids=ids)
    return bundle.manifest.model_copy(update={"gallery_size": 20})


@pytest.mark.parametrize(  # without a confidence map, and with one
    "name", [pytest.param("softmax", marks=pytest.mark.variant), "arcface"]
)
def test_convolutions_are_int8_but_the_first_and_answers_stay_close(
    images: np.ndarray, name: str
) -> None:
    source = Store(REGISTRY).load(name, 2).model_path
    found = quantize(source, images, images[:32])
    assert (found.float_convolutions, found.convolutions) == (2, 11)
    assert found.calibrated_on == 160
    graph = found.model.graph
    kinds = [one.data_type for one in graph.initializer if len(one.dims) == 4]
    assert kinds.count(TensorProto.INT8) == 9
    scales = [one for one in graph.initializer if one.name.endswith("_scale") and one.dims]
    assert any(one.dims[0] > 1 for one in scales)  # of each channel its own
    session = onnx_session(found.model)
    mine = run(session, images[:32])[0]
    assert cosines(run(open_session(source), images[:32])[0], mine).mean() > 0.995


def onnx_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def test_a_graph_without_convolutions_is_refused(tmp_path: Path, images: np.ndarray) -> None:
    from tests.support.bundles import Recipe, graph

    onnx.save(graph(Recipe(size_px=32)), tmp_path / MODEL)
    with pytest.raises(ExportMismatch, match=r"got 0 and 160"):
        quantize(tmp_path / MODEL, images, images[:8])


def test_a_bundle_gets_what_the_manifest_says(
    tmp_path: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "can_be_shown", lambda _: True)
    monkeypatch.setattr("training.evaluation.precision.LARGEST_LOSS", 1.0)
    manifest, data = whole(tmp_path, images), splits(images)
    outcome = add_int8(tmp_path, manifest, data)
    assert outcome.said.startswith("int8 published")
    (variant,) = outcome.manifest.variants
    assert {variant.file, variant.golden, variant.gallery} <= {p.name for p in tmp_path.iterdir()}
    (section,) = Report.model_validate_json((tmp_path / REPORT).read_bytes()).precisions
    assert section.published
    assert section.may_mix is variant.may_mix
    assert variant.temperature == pytest.approx(section.calibration.temperature, rel=1e-6)
    with np.load(tmp_path / INT8_GALLERY) as arrays, np.load(tmp_path / GALLERY) as floats:
        assert 0.99 < cosines(arrays["embeddings"], floats["embeddings"]).mean() < 1
    graph = Graph(tmp_path / INT8_MODEL, variant.temperature)
    served, scores = graph.scored(data.test)
    expected = torch.softmax(torch.from_numpy(scores) / variant.temperature, dim=1)
    if section.calibration.confidence_map is None:
        np.testing.assert_allclose(served.probabilities, expected.numpy(), atol=1e-4)


def test_what_loses_leaves_no_file_and_a_section_that_says_so(
    tmp_path: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "can_be_shown", lambda _: True)
    outcome = add_int8(tmp_path, whole(tmp_path, images), splits(images))
    assert outcome.said.startswith("int8 refused")  # 160 images show nothing
    assert outcome.manifest.variants == ()
    assert not list(tmp_path.glob("*int8*"))
    (section,) = Report.model_validate_json((tmp_path / REPORT).read_bytes()).precisions
    assert not section.published


def test_a_small_test_set_changes_nothing(tmp_path: Path, images: np.ndarray) -> None:
    manifest = whole(tmp_path, images)
    before = (tmp_path / REPORT).read_bytes()
    outcome = add_int8(tmp_path, manifest, splits(images))
    assert outcome.manifest == manifest
    assert "160 test images cannot show" in outcome.said
    assert (tmp_path / REPORT).read_bytes() == before
