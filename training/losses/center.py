"""Center loss: cross-entropy plus the pull of every embedding toward its class center."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from models.manifest import Metric
from training.diagnostics.centers import CenterCollapse
from training.diagnostics.detector import Detector, TrainingSnapshot
from training.losses.base import Loss, Range
from training.losses.bounds import check_range

_SMALLEST_GRADIENT = 1e-12
_LARGEST_USUAL_WEIGHT = 0.1


class CenterLoss(Loss):
    """CE(Wx + b, y) + (weight / 2) * mean |x - c_y|^2.

    Source: Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition,
    ECCV 2016, equations 2 to 5 (as means over the batch).
    As with batch normalization, the centers move in training mode only: a class's first batch
    puts its center at the batch's class mean; after each loss they take one step of size `rate`.
    Where classes are weighted, both terms are weighted means over the images; the centers' steps
    are not weighted, since each center follows the images of its own class alone.
    Raises InvalidRecipe for a negative weight, or a rate outside 0..1.
    """

    metric: ClassVar[Metric] = "l2"
    search: ClassVar[Mapping[str, Range]] = {"weight": Range(1e-4, 1.0, log=True)}
    centers: Tensor
    placed: Tensor

    def __init__(
        self, classes: int, dimension: int, *, weight: float = 3e-3, rate: float = 0.5
    ) -> None:
        super().__init__(classes, dimension)
        check_range("weight", weight, 0.0, math.inf)
        check_range("rate", rate, 0.0, 1.0)
        self.weight = weight
        self.rate = rate
        self.linear = nn.Linear(dimension, classes)
        self.register_buffer("centers", torch.zeros(classes, dimension))
        self.register_buffer("placed", torch.zeros(classes, dtype=torch.bool))

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """Cross-entropy in nats plus the weighted half mean squared distance to the centers."""
        counts = torch.bincount(labels, minlength=self.classes)
        if self.training:
            self._place(embeddings.detach(), labels, counts)
        logits = self.compute_logits(embeddings)
        entropy = self.cross_entropy(logits, labels)
        offsets = embeddings - self.centers[labels]
        pull = self.mean(offsets.square().sum(dim=1), labels)
        if self.training:
            self._step(offsets.detach(), labels, counts)
        return torch.add(entropy, pull, alpha=self.weight / 2)

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Wx + b: classification is the softmax part's."""
        logits: Tensor = self.linear(embeddings)
        return logits

    def class_weights(self) -> Tensor:
        """W, [c, d]."""
        return self.linear.weight

    @torch.no_grad()
    def diagnostics(
        self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]
    ) -> Mapping[str, float]:
        """The head's probability of each center's own class, and the pull beside the entropy's.

        `center_probability` is a geometric mean over the classes seen, 1 / C where the head can
        tell no center from another. `pull_ratio` compares the mean lengths of the two terms'
        gradients by an embedding.
        """
        own = F.log_softmax(self.compute_logits(self.centers), dim=1).diagonal()
        seen = self.placed.sum().clamp(min=1)
        rows = embeddings.to(self.centers.dtype)
        errors = self.compute_logits(rows).softmax(dim=1) - F.one_hot(labels, self.classes)
        entropy = (errors @ self.linear.weight).norm(dim=1).mean().item()
        pull = self.weight * (rows - self.centers[labels]).norm(dim=1).mean().item()
        return {
            "center_probability": (own * self.placed).sum().div(seen).exp().item(),
            "pull_ratio": pull / max(entropy, _SMALLEST_GRADIENT),
        }

    def detectors(self) -> tuple[Detector[TrainingSnapshot], ...]:
        """Of centers that the pull has drawn together."""
        return (CenterCollapse(self.weight, _LARGEST_USUAL_WEIGHT),)

    def _place(self, embeddings: Tensor, labels: Tensor, counts: Tensor) -> None:
        """Put the centers of classes never seen before at this batch's class means."""
        if self.placed.all():
            return
        new = (counts > 0) & ~self.placed
        means = self._sums(embeddings, labels) / counts.clamp(min=1).unsqueeze(1)
        self.centers.copy_(torch.where(new.unsqueeze(1), means, self.centers))
        self.placed.logical_or_(new)

    def _step(self, offsets: Tensor, labels: Tensor, counts: Tensor) -> None:
        """c_j <- c_j - rate * sum(c_j - x) / (1 + n_j), equation 4."""
        sums = self._sums(offsets, labels)
        self.centers.addcdiv_(sums, (1 + counts).unsqueeze(1), value=self.rate)

    def _sums(self, rows: Tensor, labels: Tensor) -> Tensor:
        rows = rows.to(self.centers.dtype)
        return torch.zeros_like(self.centers).index_add_(0, labels, rows)
