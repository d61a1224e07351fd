"""Losses without a head of their own: they classify by class means, fitted after training."""

from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from models.manifest import Metric
from training.losses.base import Loss, Sampling


class PrototypeLoss(Loss):
    """Compares the embeddings of a P x K batch with each other, at unit length."""

    metric: ClassVar[Metric] = "cosine"
    sampling: ClassVar[Sampling] = "balanced"
    fits_prototypes: ClassVar[bool] = True
    prototypes: Tensor

    def __init__(self, classes: int, dimension: int) -> None:
        super().__init__(classes, dimension)
        self.register_buffer("prototypes", torch.zeros(classes, dimension))

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """-|x - mean_c|^2 of the unit-length x; 0 to -4."""
        offsets = F.normalize(embeddings).unsqueeze(1) - self.prototypes
        return -offsets.square().sum(dim=2)

    @torch.no_grad()
    def fit_prototypes(self, embeddings: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]) -> None:
        """Set each class's prototype to the mean of its unit-length embeddings."""
        rows = F.normalize(embeddings.to(self.prototypes.dtype))
        sums = torch.zeros_like(self.prototypes).index_add_(0, labels, rows)
        counts = torch.bincount(labels, minlength=self.classes).clamp(min=1)
        self.prototypes.copy_(sums / counts.unsqueeze(1))
