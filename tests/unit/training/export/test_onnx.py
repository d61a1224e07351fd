"""The ONNX file answers as PyTorch does, or there is none."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from jaxtyping import UInt8
from torch import Tensor

from tests.support.tiny_runs import tiny_splits, tiny_trainer
from training.calibration.module import ServedModel
from training.errors import ExportMismatch
from training.export.onnx import TOLERANCE, check, export, golden, open_session, run
from training.losses import ALL_LOSSES

IMAGES = tiny_splits().train.images


def model(loss: str, temperature: float = 1.7) -> ServedModel:
    return ServedModel(tiny_trainer(loss).embedder, temperature).eval()


EXPORTED = ("softmax", "center", "triplet")  # of each metric, and fitted prototypes
OTHERS = [
    pytest.param(loss, marks=pytest.mark.variant) for loss in ALL_LOSSES if loss not in EXPORTED
]


@pytest.mark.parametrize("loss", [*EXPORTED, *OTHERS])
def test_the_graph_takes_bytes_and_answers_alike_for_any_batch(loss: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    served = model(loss)
    export(served, IMAGES, path)
    session = open_session(path)
    assert [(node.name, node.type) for node in session.get_inputs()] == [
        ("images", "tensor(uint8)")
    ]
    assert session.get_inputs()[0].shape[1:] == [8, 8, 3]
    for size in (1, 5, 64):
        embedding, probabilities = run(session, IMAGES[:size].numpy())
        with torch.no_grad():
            expected = served(IMAGES[:size])
        np.testing.assert_allclose(embedding, expected[0], atol=TOLERANCE)
        np.testing.assert_allclose(probabilities, expected[1], atol=TOLERANCE)
        assert embedding.shape == (size, 8)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_embeddings_have_unit_length_where_the_metric_is_cosine(loss: str) -> None:
    with torch.no_grad():
        embedding, _ = model(loss)(IMAGES)
    lengths = embedding.norm(dim=1)
    assert torch.allclose(lengths, torch.ones(64)) == (ALL_LOSSES[loss].metric == "cosine")


def test_the_temperature_divides_the_logits() -> None:
    served = model("softmax", temperature=2.5)
    with torch.no_grad():
        _, probabilities = served(IMAGES)
        logits = served.loss.logits(served.backbone(IMAGES))
    assert torch.allclose(probabilities, (logits / 2.5).softmax(1))


def test_the_file_says_nothing_of_the_machine_that_made_it(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(model("softmax"), IMAGES, path)
    assert b".py" not in path.read_bytes()
    onnx.checker.check_model(onnx.load(path), full_check=True)


class Fickle(ServedModel):
    """Answers differently once it was exported."""

    exported = False

    def forward(self, images: UInt8[Tensor, "b h w 3"]) -> tuple[Tensor, Tensor]:
        embedding, probabilities = super().forward(images)
        return embedding + 0.01 * self.exported, probabilities


def test_a_mismatch_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fickle = Fickle(tiny_trainer("softmax").embedder).eval()
    real_check = check

    def check_later(*arguments: object) -> None:
        fickle.exported = True
        real_check(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("training.export.onnx.check", check_later)
    with pytest.raises(ExportMismatch, match=r"embedding differs by 1\.0e-02 on a batch of 1"):
        export(fickle, IMAGES, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_golden_holds_images_and_what_the_file_answers(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(model("triplet"), IMAGES, path)
    session = open_session(path)
    kept = golden(session, tiny_splits().train)
    embedding, probabilities = run(session, np.asarray(kept["images"], dtype=np.uint8))
    assert len(kept["images"]) == 16
    np.testing.assert_array_equal(embedding, kept["embedding"])
    np.testing.assert_array_equal(probabilities, kept["probabilities"])
