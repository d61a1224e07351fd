"""A published graph with another calibration: the same embeddings, other probabilities."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from models.bundle import MODEL
from models.evidence.confidence import Calibration, ConfidenceMap
from models.store import Store
from training.calibration.confidence_map import ConfidenceLayer
from training.errors import InvalidRun
from training.evaluation.graph import Graph
from training.export.onnx import open_session, run
from training.publishing.recalibration import check_alike, recalibrated, write_recalibrated

REGISTRY = Path(__file__).parents[4] / "models" / "registry"
BENT = ConfidenceMap(log_odds=(-1.0, 1.0, 4.0, 5.0), calibrated_log_odds=(-1.2, 0.5, 2.0, 4.0))


def calibration(temperature: float, knots: ConfidenceMap | None) -> Calibration:
    return Calibration(
        temperature=temperature, nll_before=1, nll_after=1, n=10, confidence_map=knots
    )


@pytest.mark.parametrize("knots", [None, BENT], ids=["no map", "map"])
@pytest.mark.parametrize(("name", "version"), [("triplet", 1), ("softmax", 2), ("arcface", 2)])
def test_scores_go_through_the_new_calibration_and_nothing_else_moves(
    name: str, version: int, knots: ConfidenceMap | None, tmp_path: Path
) -> None:
    bundle = Store(REGISTRY).load(name, version)
    golden = bundle.golden()
    wanted = calibration(0.7 * bundle.manifest.temperature, knots)
    new = write_recalibrated(bundle, wanted, tmp_path / "new")
    embedding, probabilities = run(open_session(new.model_path), golden.images)
    before, _ = run(open_session(bundle.model_path), golden.images)
    assert np.array_equal(embedding, before)
    *_, scores = Graph(bundle.model_path, bundle.manifest.temperature)._run(golden.images)
    expected = torch.softmax(torch.from_numpy(scores) / 0.7, dim=1)
    if knots is not None:
        expected = ConfidenceLayer(knots)(expected)
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=2e-6)
    assert np.array_equal(new.golden().probabilities, probabilities)
    assert new.manifest.temperature == pytest.approx(wanted.temperature)
    assert new.report.confidence.calibration == wanted
    one, _ = run(open_session(new.model_path), golden.images[:1])
    assert one.shape == (1, golden.embedding.shape[1])


def test_back_and_forth_is_where_it_began(tmp_path: Path) -> None:
    bundle = Store(REGISTRY).load("cosface", 1)
    old = bundle.report.confidence.calibration
    there = write_recalibrated(bundle, calibration(5.0, None), tmp_path / "there")
    back = write_recalibrated(there, old, tmp_path / "back")
    np.testing.assert_allclose(
        back.golden().probabilities, bundle.golden().probabilities, atol=2e-6
    )
    assert back.manifest.temperature == bundle.manifest.temperature


def test_a_model_that_embeds_otherwise_cannot_take_the_place(tmp_path: Path) -> None:
    bundle = Store(REGISTRY).load("softmax", 1)
    new = write_recalibrated(bundle, calibration(3.0, BENT), tmp_path / "new")
    check_alike(bundle, new.path)
    other = Store(REGISTRY).load("center", 1).model_path
    (tmp_path / "new" / MODEL).write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match="publish a new version"):
        check_alike(bundle, new.path)


def test_a_graph_without_probabilities_is_refused(tmp_path: Path) -> None:
    model = onnx.load(REGISTRY / "softmax" / "1" / MODEL)
    for node in model.graph.node:
        if node.op_type == "Softmax":
            node.op_type = "Sigmoid"
    onnx.save(model, tmp_path / MODEL)
    with pytest.raises(InvalidRun, match="no softmax"):
        recalibrated(tmp_path / MODEL, calibration(1.0, None))
