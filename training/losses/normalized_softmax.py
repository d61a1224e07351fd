"""Normalized softmax: cross-entropy over scaled cosines, with no margin."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from models.manifest import Metric
from training.diagnostics.detector import Detector, TrainingSnapshot
from training.diagnostics.scale import POOR_PROBABILITY, ScaleBelowBound
from training.losses.base import Loss, Range
from training.losses.bounds import check_scale, smallest_scale
from training.losses.direction import direction


class NormalizedSoftmaxLoss(Loss):
    """CE(s * cos_j, y): what CosFace and ArcFace are at a margin of 0.

    It tells what a margin adds from what normalization alone does.
    Also called NormFace (Wang et al., arXiv 1704.06369), which learns the scale; here it is fixed.
    Source: Zhai and Wu, Classification is a Strong Baseline for Deep Metric Learning,
    arXiv 1811.12649, equation 3, with s = 1 / temperature.
    Raises InvalidRecipe for a scale that cannot reach a probability of 0.99.
    """

    metric: ClassVar[Metric] = "cosine"
    mixable: ClassVar[bool] = True
    search: ClassVar[Mapping[str, Range]] = {"scale": Range(8.0, 32.0, log=True)}
    scale: Tensor

    def __init__(self, classes: int, dimension: int, *, scale: float = 16.0) -> None:
        super().__init__(classes, dimension)
        check_scale(scale, classes)
        self.weight = nn.Parameter(nn.init.xavier_normal_(torch.empty(classes, dimension)))
        self.register_buffer("scale", torch.tensor(scale))

    @classmethod
    def search_within(cls, classes: int, dimension: int) -> Mapping[str, Range]:  # noqa: ARG003
        """Scales that the doctor does not warn of."""
        scale = cls.search["scale"]
        least = max(scale.low, smallest_scale(classes, POOR_PROBABILITY))
        return {"scale": scale._replace(low=least, high=max(scale.high, least))}

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """Cross-entropy over the scaled cosines, in nats."""
        return self.cross_entropy(self.compute_logits(embeddings), labels)

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """The scaled cosines."""
        return self.scale * F.linear(direction(embeddings), direction(self.weight))

    def class_weights(self) -> Tensor:
        """The directions W_j, of any length, [c, d]."""
        return self.weight

    def detectors(self) -> tuple[Detector[TrainingSnapshot], ...]:
        """Of a scale that is allowed, and poor."""
        least = smallest_scale(self.classes, POOR_PROBABILITY)
        return (ScaleBelowBound(self.scale.item(), least),)

    def logit_scale(self) -> float | None:
        """The scale: cosines are bounded."""
        return self.scale.item()
