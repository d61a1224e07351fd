"""Each detector fires in a real training that goes wrong its way, and none in a healthy one."""

import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from models.evidence.finding import Finding
from models.manifest import Metric
from tests.support.tiny_runs import tiny_recipe, tiny_splits, tiny_trainer
from training.diagnostics.detector import Detector, Diagnosis, TrainingSnapshot
from training.errors import Diverged
from training.loop.doctor import AT_EACH_STEP, BEFORE_TRAINING, Doctor, detectors
from training.loop.trainer import Trainer
from training.losses import LOSSES, make_loss
from training.losses.base import Loss
from training.losses.softmax import SoftmaxLoss

COMPARES_EMBEDDINGS = ("triplet", "supcon")  # they have no way off one common point
PAGE = (Path(__file__).parents[4] / "docs" / "doctor.md").read_text()


def findings(trainer: Trainer) -> list[Finding]:
    """Return the doctor's findings in the whole training."""
    for _ in trainer.steps():
        pass
    return trainer.progress.findings


def only(trainer: Trainer, detector: str) -> Finding:
    """The one finding of the training, which that detector made."""
    (finding,) = findings(trainer)
    assert (finding.detector, finding.severity) == (detector, "warning")
    return finding


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("epochs", [1, 2, 10])
def test_a_healthy_run_hears_nothing(loss: str, epochs: int) -> None:
    trainer = tiny_trainer(loss, epochs=epochs)
    assert findings(trainer) == []
    if epochs == 10:
        assert trainer.progress.history[-1].tuning_accuracy == 1


@pytest.mark.parametrize("epochs", [1, 3])
def test_triplet_collapse(epochs: int) -> None:
    trainer = tiny_trainer("triplet", epochs=epochs)
    *_, last = (m for m in trainer.embedder.backbone.modules() if isinstance(m, torch.nn.Linear))
    torch.nn.init.zeros_(last.weight)  # every image at one point: no distance, no gradient
    finding = only(trainer, "triplet-collapse")
    assert finding.epoch == min(2, epochs)
    assert "the loss is 0.2000, the margin 0.2, and the spread" in finding.sentence
    assert "learning_rate of 0.0002 instead of 0.002" in finding.sentence


@pytest.mark.parametrize("loss", ["cosface", "arcface"])
def test_a_scale_below_the_bound_before_the_first_step(loss: str) -> None:
    trainer = tiny_trainer(loss, parameters={"scale": 6.0})
    next(trainer.steps())
    (finding,) = trainer.progress.findings
    assert (finding.detector, finding.epoch) == ("scale-below-bound", 1)
    assert "scale 6 is below 7.73" in finding.sentence
    assert "raise scale to 12" in finding.sentence
    assert only(trainer, "scale-below-bound") == finding


def test_the_scale_that_it_advises_is_enough() -> None:
    assert findings(tiny_trainer("cosface", parameters={"scale": 12.0})) == []


@pytest.mark.parametrize(("loss", "largest"), [("cosface", 1.0), ("arcface", torch.pi / 2)])
def test_a_margin_that_hardly_fits(loss: str, largest: float) -> None:
    """Four classes on the plane; ArcFace's margin is 0 at first, and the full one is judged."""
    fields = {"embedding_size": 2, "epochs": 1}
    tight = tiny_trainer(loss, **fields, parameters={"margin": 0.81 * largest})
    finding = only(tight, "tight-margin")
    assert f"81% of the {largest:.3f} that 4 classes in 2 dimensions can hold" in finding.sentence
    assert "embedding_size above 2" in finding.sentence
    advised = float(re.findall(r"lower margin to ([0-9.]+),", finding.sentence)[0])
    assert findings(tiny_trainer(loss, **fields, parameters={"margin": advised})) == []


def test_center_collapse() -> None:
    finding = only(tiny_trainer("center", parameters={"weight": 1e3}), "center-collapse")
    assert finding.epoch == 2
    given = re.findall(r"probability of ([0-9.]+) for its own class", finding.sentence)
    assert float(given[0]) == pytest.approx(0.25, abs=0.01)
    assert "where guessing gives 0.250" in finding.sentence
    assert "lower weight from 1000 to 0.1 or less" in finding.sentence


def test_saturated_probabilities_of_a_learning_rate() -> None:
    finding = only(tiny_trainer("softmax", learning_rate=1.0), "saturated-probabilities")
    assert "100% of 16 tuning images" in finding.sentence
    assert "lower learning_rate from 1 to 0.1" in finding.sentence


def test_saturated_probabilities_of_a_scale() -> None:
    trainer = tiny_trainer("cosface", parameters={"scale": 1e4})
    finding = only(trainer, "saturated-probabilities")
    assert re.search(r"lower scale from 10000 to about \d+$", finding.sentence)


def imbalanced(rare: int) -> Trainer:
    """The last class has `rare` training images, and looks as the one before it."""
    splits = tiny_splits()
    tuning = tiny_splits().train
    labels = splits.train.labels
    keep = torch.cat([(labels < 3).nonzero().flatten(), (labels == 3).nonzero().flatten()[:rare]])
    images = splits.train.images.clone()
    images[labels == 3] = images[labels == 2]
    train = replace(splits.train, images=images).take(keep)
    looks = tuning.images.clone()
    looks[tuning.labels == 3] = looks[tuning.labels == 2]
    splits = replace(splits, train=train, tuning=replace(tuning, images=looks))
    return Trainer(tiny_recipe("softmax", epochs=12), splits, classes=4)


def test_a_class_never_predicted() -> None:
    finding = only(imbalanced(rare=1), "class-never-predicted")
    assert finding.epoch == 6  # half of them
    assert "class 3 (such as image/3; 1 training images)" in finding.sentence
    assert "16 of 64 belong there" in finding.sentence
    assert "add training images" in finding.sentence


def test_nobody_notices_a_class_with_hardly_any_tuning_images() -> None:
    trainer = imbalanced(rare=1)
    tuning = trainer.splits.tuning
    common, rare = (tuning.labels < 3).nonzero(), (tuning.labels == 3).nonzero()
    few = tuning.take(torch.cat([common, rare[:5]]).flatten())
    assert findings(Trainer(trainer.recipe, replace(trainer.splits, tuning=few), classes=4)) == []


class RootOfZero(SoftmaxLoss):
    """A finite loss whose derivative is not: the root stands outside its epsilon."""

    def compute_loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        nothing = (embeddings - embeddings.detach()).square().sum(dim=1).sqrt().mean()
        return super().compute_loss(embeddings, labels) + nothing


def diverging(cause: str, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    if cause == "formula":
        monkeypatch.setitem(LOSSES, "root", RootOfZero)
        return tiny_trainer("root")
    if cause == "weight":
        return tiny_trainer("center", parameters={"weight": 1e37})
    return tiny_trainer("softmax", learning_rate=1e3)


@pytest.mark.parametrize("cause", ["formula", "weight", "learning rate"])
def test_non_finite_gradients_stop_before_the_weights_are_touched(
    cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = diverging(cause, monkeypatch)
    weights = {name: p.detach().clone() for name, p in trainer.embedder.named_parameters()}
    with pytest.raises(Diverged, match="start again with a learning_rate of") as raised:
        for _ in trainer.steps():
            weights = {name: p.detach().clone() for name, p in trainer.embedder.named_parameters()}
    (stop,) = (one for one in trainer.progress.findings if one.severity == "stop")
    assert (stop.detector, stop.epoch, stop.step) == (
        "non-finite-gradients",
        1,
        trainer.progress.step + 1,
    )
    assert stop.sentence in str(raised.value)
    assert any(name in stop.sentence for name in weights) or "most of it in" in stop.sentence
    for name, parameter in trainer.embedder.named_parameters():
        assert torch.equal(parameter, weights[name])
        assert parameter.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_embeddings_without_a_direction_train(loss: str) -> None:
    """A last layer of zeros, as some start theirs: no gradient of 1e11, no stop, and it moves."""
    trainer = tiny_trainer(loss)
    layers = trainer.embedder.backbone.modules()
    last = [layer for layer in layers if isinstance(layer, nn.Linear)][-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    assert all(one.severity != "stop" for one in findings(trainer))
    if loss not in COMPARES_EMBEDDINGS:
        assert last.weight.any()


class TooSteep(SoftmaxLoss):
    """Finite gradients that no step should be taken by."""

    def compute_loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return 1e12 * super().compute_loss(embeddings, labels)


def test_absurdly_long_gradients_do_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "steep", TooSteep)
    trainer = tiny_trainer("steep")
    weights = {name: p.detach().clone() for name, p in trainer.embedder.named_parameters()}
    with pytest.raises(Diverged, match="would hold it for thousands"):
        next(trainer.steps())
    (stop,) = trainer.progress.findings
    assert (stop.detector, stop.step) == ("non-finite-gradients", 1)
    for name, parameter in trainer.embedder.named_parameters():
        assert torch.equal(parameter, weights[name])


class Grumble(Detector[TrainingSnapshot]):
    """Complains of every epoch, twice as much every other time."""

    name: ClassVar[str] = "grumble"

    def examine(self, seen: TrainingSnapshot) -> Diagnosis | None:
        return Diagnosis("bad", degree=2.0 ** (len(seen.curve) // 2)) if seen.curve else None


class GrumblingLoss(SoftmaxLoss):
    """A sixth loss with a detector of its own."""

    metric: ClassVar[Metric] = "cosine"

    def detectors(self) -> tuple[Detector[TrainingSnapshot], ...]:
        return (Grumble(),)


@pytest.fixture
def grumbling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "grumbling", GrumblingLoss)


@pytest.mark.usefixtures("grumbling")
def test_a_sixth_loss_is_heard_once_and_again_when_it_is_twice_as_bad() -> None:
    heard = findings(tiny_trainer("grumbling", epochs=6))
    assert [(one.epoch, one.degree) for one in heard] == [(1, 1), (2, 2), (4, 4), (6, 8)]


@pytest.mark.usefixtures("grumbling")
@pytest.mark.parametrize("stop_after", [1, 4, 9])
def test_a_resumed_run_remembers_what_was_said(stop_after: int) -> None:
    broken = tiny_trainer("grumbling")
    for _, _step in zip(range(stop_after), broken.steps(), strict=False):
        pass
    resumed = tiny_trainer("grumbling")
    resumed.load_state(broken.state())
    assert findings(resumed) == findings(tiny_trainer("grumbling"))


def without_the_doctor(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    for name in ("before_training", "after_backward", "after_epoch"):
        monkeypatch.setattr(Doctor, name, lambda *_: None)
    findings(trainer)
    return trainer


@pytest.mark.parametrize("loss", LOSSES)
def test_the_doctor_changes_nothing(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, unseen = tiny_trainer(loss), tiny_trainer(loss)
    findings(seen)
    expected = without_the_doctor(unseen, monkeypatch).embedder.state_dict()
    found = seen.embedder.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def registered() -> set[str]:
    losses: list[Loss] = [make_loss(name, 10, 16) for name in LOSSES]
    names = {one.name for loss in losses for one in detectors(loss)}
    return names | {one.name for one in AT_EACH_STEP} | {one.name for one in BEFORE_TRAINING}


def test_the_page_names_every_detector_and_no_other() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, flags=re.MULTILINE)) == registered()


def test_there_are_eight_detectors() -> None:
    assert len(registered()) == 8
