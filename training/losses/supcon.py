"""Supervised contrastive loss: each image against all others of its P x K batch."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from training.losses.base import Range
from training.losses.bounds import check_range
from training.losses.direction import direction
from training.losses.prototypes import PrototypeLoss


class SupConLoss(PrototypeLoss):
    """mean over anchors i and positives p of -ln(e^(x_i.x_p / t) / sum_(a != i) e^(x_i.x_a / t)).

    Each anchor counts once, however many positives it has: the other images of its class in the
    batch. An anchor without any is left out. One view of each image.
    Source: Khosla et al., Supervised Contrastive Learning, arXiv 2004.11362, equation 2 (L_out).
    Classifies by minus the squared distance to class means fitted on training embeddings.
    Raises InvalidRecipe for a temperature outside 0.01 to 1.
    """

    search: ClassVar[Mapping[str, Range]] = {"temperature": Range(0.05, 0.5, log=True)}
    temperature: Tensor

    def __init__(self, classes: int, dimension: int, *, temperature: float = 0.1) -> None:
        super().__init__(classes, dimension)
        check_range("temperature", temperature, 0.01, 1.0)
        self.register_buffer("temperature", torch.tensor(temperature))

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """The mean over anchors, in nats; 0 where no class has two images in the batch."""
        unit = direction(embeddings)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        positive = (labels.unsqueeze(1) == labels) & ~itself
        anchors = positive.any(dim=1)
        if not anchors.any():
            return embeddings.sum() * 0
        scores = (unit @ unit.T / self.temperature)[anchors]
        others = scores.masked_fill(itself[anchors], -torch.inf)
        missing = torch.logsumexp(others, dim=1, keepdim=True) - scores  # -ln of each share
        chosen = positive[anchors]
        values = (missing * chosen).sum(dim=1) / chosen.sum(dim=1)
        return self.mean(values, labels[anchors])
