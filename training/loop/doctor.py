"""The loss doctor: shows a run to every detector, and notes what they find with its progress."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from models.evidence.finding import Finding
from training.checkpoints.state import Progress
from training.data.dataset import LabeledImages, TrainingSplits
from training.diagnostics.detector import Detector, Gradients, Seen, TrainingSnapshot
from training.diagnostics.faint import FaintDirections, FilterResponses, first_responses
from training.diagnostics.gradients import NonFiniteGradients
from training.diagnostics.saturation import SaturatedProbabilities
from training.diagnostics.unpredicted import ClassNeverPredicted
from training.errors import Diverged
from training.losses.base import Loss
from training.networks.embedder import Embedder
from training.recipes.recipe import Recipe

AT_EACH_STEP: tuple[Detector[Gradients], ...] = (NonFiniteGradients(),)
BEFORE_TRAINING: tuple[Detector[FilterResponses], ...] = (FaintDirections(),)


def detectors(loss: Loss) -> tuple[Detector[TrainingSnapshot], ...]:
    """Return the detectors of a run of this loss, before its first step and after each epoch."""
    return (
        *loss.detectors(),
        SaturatedProbabilities(loss.logit_scale()),
        ClassNeverPredicted(),
    )


class Doctor:
    """Watches one run. It reads only: weights, batches and randomness are as without it."""

    def __init__(self, recipe: Recipe, embedder: Embedder, splits: TrainingSplits) -> None:
        self._recipe = recipe
        self._loss = embedder.loss
        self._backbone, self._images = embedder.backbone, splits.train.images
        self._parameters = list(embedder.named_parameters())
        self._tuning_labels = splits.tuning.labels
        self._train_counts = splits.train.labels.bincount(minlength=embedder.loss.classes)
        self._examples = _examples(splits.train, embedder.loss.classes)

    def before_training(self, progress: Progress) -> None:
        """Look at the recipe and the first layer, before the first step."""
        nothing = torch.zeros(0, self._loss.classes)
        self._look(progress, nothing, self._tuning_labels[:0], progress.epoch + 1)
        responses = None
        if self._images.ndim == 4:  # and not features of a frozen trunk
            responses = first_responses(self._backbone, self._images)
        if responses is not None:
            _note(BEFORE_TRAINING, responses, progress, progress.epoch + 1)

    def after_backward(self, progress: Progress) -> None:
        """Look at the gradients. Raises Diverged where a step must not be taken."""
        present = [(name, p.grad) for name, p in self._parameters if p.grad is not None]
        seen = Gradients(
            self._recipe.learning_rate,
            [name for name, _ in present],
            [gradient for _, gradient in present],
        )
        _note(AT_EACH_STEP, seen, progress, progress.epoch + 1, progress.step + 1)

    def after_epoch(self, progress: Progress, logits: Float[Tensor, "n c"]) -> None:
        """Look at the epoch that ended last, by the tuning split's logits and the curve."""
        self._look(progress, logits, self._tuning_labels, progress.history[-1].epoch)

    def _look(self, progress: Progress, logits: Tensor, labels: Tensor, epoch: int) -> None:
        standing = TrainingSnapshot(
            epochs=self._recipe.epochs,
            learning_rate=self._recipe.learning_rate,
            curve=tuple(progress.history),
            tuning_logits=logits,
            tuning_labels=labels,
            train_counts=self._train_counts,
            examples=self._examples,
        )
        _note(detectors(self._loss), standing, progress, epoch)


def _note(
    detectors: Sequence[Detector[Seen]],
    seen: Seen,
    progress: Progress,
    epoch: int,
    step: int | None = None,
) -> None:
    for detector in detectors:
        symptom = detector.examine(seen)
        if symptom is None or not _is_news(detector.name, symptom.degree, progress.findings):
            continue
        finding = Finding(
            detector=detector.name,
            epoch=epoch,
            step=step,
            severity=symptom.severity,
            degree=symptom.degree,
            sentence=symptom.sentence,
        )
        progress.findings.append(finding)
        if finding.severity == "stop":
            raise Diverged(f"epoch {epoch}, step {step}: {finding.sentence}")


def _is_news(detector: str, degree: float, findings: Sequence[Finding]) -> bool:
    """Return whether the detector was silent so far, or its finding is twice as bad as then."""
    earlier = [finding.degree for finding in findings if finding.detector == detector]
    return not earlier or degree >= 2 * max(earlier)


def _examples(images: LabeledImages, classes: int) -> list[str]:
    """The id of each class's first image; "none" for a class without one."""
    found = dict(zip(reversed(images.labels.tolist()), reversed(images.ids), strict=True))
    return [found.get(label, "none") for label in range(classes)]
