"""An ONNX file asked in one part or in two: the same answers, and a trunk is run once for all."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_runs import sample, tiny_recipe, tiny_splits
from training.calibration.module import ServedModel
from training.evaluation.graph import Graph
from training.evaluation.inference import network_answers
from training.export.onnx import export, open_session, run
from training.losses import LOSSES
from training.networks.embedder import Embedder
from training.networks.pretrained import Pretrained

SPLITS = tiny_splits(16)
TRUNK = {"backbone": "airbench", "widths": (24, 28, 32), "size_px": 16, "frozen": True}
REGISTRY = Path(__file__).parents[4] / "models" / "registry"


FIRST = [("softmax", 1), ("arcface", 2)]
OTHERS = [(loss, version) for loss in LOSSES for version in (1, 2) if (loss, version) not in FIRST]


@pytest.mark.parametrize(
    ("loss", "version"),
    [*FIRST, *(pytest.param(*other, marks=pytest.mark.published) for other in OTHERS)],
)
def test_a_published_model_answers_as_its_whole_file(
    loss: str, version: int, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    images = sample(tmp_path_factory.getbasetemp() / "cache")[0].test.images[:40].numpy()
    path = REGISTRY / loss / str(version) / "model.onnx"
    expected = run(open_session(path), images)
    for found in (Graph(path, 1.0).ask(images), Graph(path, 1.0, tmp_path).ask(images)):
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert len(list(tmp_path.glob("*.npy"))) == (version == 2)


@pytest.mark.parametrize(
    "loss",
    [
        "softmax",
        "center",
        *(
            pytest.param(loss, marks=pytest.mark.variant)
            for loss in LOSSES
            if loss not in ("softmax", "center")
        ),
    ],
)
def test_answers_before_calibration_are_those_of_the_network(loss: str, tmp_path: Path) -> None:
    images, part = SPLITS.train.images, SPLITS.test
    model = ServedModel(
        Embedder(tiny_recipe(loss, size_px=16), 4, images, Pretrained.random()), 2.3
    ).eval()
    export(model, images, tmp_path / "model.onnx")
    served, plain = Graph(tmp_path / "model.onnx", 2.3).both(part)
    for ours, network in ((served, model), (plain, model.uncalibrated())):
        theirs = network_answers(network, part)
        np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-5)
        np.testing.assert_allclose(ours.embeddings, theirs.embeddings, atol=1e-5)
    if loss != "triplet":  # whose untrained prototypes make every class alike
        assert abs(served.probabilities - plain.probabilities).max() > 1e-3


def test_models_on_one_trunk_share_its_features_and_others_do_not(tmp_path: Path) -> None:
    images, cache = SPLITS.train.images, tmp_path / "cache"
    embedders = [
        Embedder(tiny_recipe(loss, **TRUNK), 4, images, Pretrained.random())
        for loss in ("softmax", "arcface")
    ]
    for one in embedders:  # so that standardizing is not folded away
        one.backbone.get_buffer("projection.mean").fill_(0.1)
        one.backbone.get_buffer("projection.std").fill_(1.5)
    trunks = [one.backbone.get_submodule("trunk") for one in embedders]
    other = {name: tensor.clone() for name, tensor in trunks[1].state_dict().items()}
    trunks[1].load_state_dict(trunks[0].state_dict())
    counts = []
    for number in range(3):
        if number == 2:
            trunks[1].load_state_dict(other)
        path = tmp_path / f"{number}.onnx"
        export(ServedModel(embedders[min(number, 1)]).eval(), images, path)
        found = Graph(path, 1.0, cache).answers(SPLITS.test)
        expected = run(open_session(path), SPLITS.test.images.numpy())
        np.testing.assert_allclose(found.embeddings, expected[0], atol=1e-5)
        counts.append(len(list(cache.glob("*.npy"))))
    assert counts == [1, 1, 2]
