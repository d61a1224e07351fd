"""A loss that the trainer has never heard of: trained, resumed, classified with and exported."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.manifest import Metric
from training.calibration.module import ServedModel
from training.checkpoints.run import RunFolder
from training.data.dataset import Splits, split
from training.data.folder import load_folder
from training.export.onnx import export, open_session, run
from training.loop.trainer import Trainer
from training.losses import LOSSES
from training.losses.base import Loss, Sampling
from training.recipes.recipe import load_recipe

SAMPLE = Path(__file__).parents[1] / "data" / "cifar10-sample"


class ToyLoss(Loss):
    """Squared distance to learned anchors; classifies by class means. Uses every hook."""

    metric: ClassVar[Metric] = "cosine"
    sampling: ClassVar[Sampling] = "balanced"
    fits_prototypes: ClassVar[bool] = True
    means: Tensor
    reached: Tensor

    def __init__(self, classes: int, dimension: int, *, strength: float = 1.0) -> None:
        super().__init__(classes, dimension)
        self.strength = strength
        self.anchors = torch.nn.Parameter(torch.randn(classes, dimension))
        self.register_buffer("means", torch.zeros(classes, dimension))
        self.register_buffer("reached", torch.zeros(()))

    def compute_loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        counts = labels.bincount(minlength=self.classes)
        assert counts.min() == counts.max(), "not balanced"
        offsets = F.normalize(embeddings) - F.normalize(self.anchors)[labels]
        return self.strength * offsets.square().sum(dim=1).mean()

    def compute_logits(self, embeddings: Tensor) -> Tensor:
        return F.normalize(embeddings) @ self.means.T

    def fit_prototypes(self, embeddings: Tensor, labels: Tensor) -> None:
        rows = F.normalize(embeddings.float())
        for label in range(self.classes):
            self.means[label] = rows[labels == label].mean(dim=0)

    def ramp(self, progress: float) -> None:
        self.reached.fill_(progress)

    def diagnostics(self, embeddings: Tensor, labels: Tensor) -> Mapping[str, float]:
        return {"strength": self.strength}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one registry line."""
    monkeypatch.setitem(LOSSES, "toy", ToyLoss)


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    """The committed photographs, very small."""
    recipe = load_recipe("softmax", size_px=8)
    cache = tmp_path_factory.mktemp("cache")
    return split(load_folder(SAMPLE, recipe.preprocess, cache), recipe.holdout, recipe.seed)


def trainer(splits: Splits) -> Trainer:
    recipe = load_recipe(
        "toy",
        parameters={"strength": 2.0},
        epochs=2,
        batch_size=80,
        size_px=8,
        embedding_size=8,
        learning_rate=1e-2,
    )
    return Trainer(recipe, splits, 10)


def finish(trainer: Trainer) -> dict[str, Any]:
    for _ in trainer.steps():
        pass
    return trainer.embedder.state_dict()


def test_it_trains_with_every_hook_called(splits: Splits) -> None:
    run = trainer(splits)
    assert run.steps_per_epoch == 4  # 320 images, 8 of each class a batch
    before = run.embedder.loss.get_parameter("anchors").detach().clone()
    finish(run)
    first, last = run.progress.history
    assert last.loss < first.loss
    assert last.diagnostics == {"strength": 2.0}
    assert last.tuning_accuracy > 0.1
    loss = run.embedder.loss
    assert loss.get_buffer("reached").item() == pytest.approx(7 / 8)
    assert loss.get_buffer("means").any()
    assert not torch.equal(loss.get_parameter("anchors"), before)


@pytest.mark.parametrize("stop_after", [2, 5])
def test_it_resumes_to_the_same_weights(splits: Splits, tmp_path: Path, stop_after: int) -> None:
    expected = finish(trainer(splits))
    stopped, folder = trainer(splits), RunFolder(tmp_path)
    for _, _step in zip(range(stop_after), stopped.steps(), strict=False):
        pass
    folder.save(folder.checkpoint_path, stopped.state())

    resumed = trainer(splits)
    resumed.load_state(folder.load(folder.checkpoint_path))
    found = finish(resumed)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_it_exports_to_a_graph_that_answers_alike(splits: Splits, tmp_path: Path) -> None:
    fitted = trainer(splits)
    finish(fitted)
    model = ServedModel(fitted.embedder.cpu(), temperature=0.5).eval()
    export(model, splits.test.images, tmp_path / "model.onnx")  # refuses where answers differ
    session = open_session(tmp_path / "model.onnx")
    embedding, probabilities = run(session, splits.test.images[:3].numpy())
    assert embedding.shape == (3, 8)
    assert probabilities.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
