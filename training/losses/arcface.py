"""ArcFace: an additive margin on the angle of the true class."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from training.losses.base import Range
from training.losses.bounds import largest_separation_rad
from training.losses.cosine import CosineLoss

RAMP = 0.2  # share of training over which the margin grows from 0
_SMALLEST_SQUARED_SINE = 1e-6


class ArcFaceLoss(CosineLoss):
    """CE with s * cos(theta_y + m) in the true class and s * cos(theta_j) elsewhere.

    Source: Deng et al., ArcFace, arXiv 1801.07698, equation 3. The margin is in radians and
    grows linearly from 0 over the first fifth of training. Past theta + m = pi, where the
    cosine would turn back up, cos - m * sin(m) goes on falling.
    """

    search: ClassVar[Mapping[str, Range]] = {
        "scale": Range(8.0, 32.0, log=True),
        "margin": Range(0.2, 0.5),
    }
    full_margin: Tensor

    def __init__(
        self, classes: int, dimension: int, *, scale: float = 16.0, margin: float = 0.3
    ) -> None:
        super().__init__(classes, dimension, scale=scale, margin=margin)
        self.register_buffer("full_margin", torch.tensor(margin))

    @classmethod
    def largest_margin(cls, classes: int, dimension: int) -> float:
        """The widest angle between neighboring classes, in radians."""
        return largest_separation_rad(classes, dimension)

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """Cross-entropy over the scaled cosines, the true class's with the margin, in nats."""
        cosines = self.cosines(embeddings)
        true = cosines.gather(1, labels.unsqueeze(1))
        logits = cosines.scatter(1, labels.unsqueeze(1), self._widened(true))
        return self.cross_entropy(self.scale * logits, labels)

    def ramp(self, progress: float) -> None:
        """Set the margin to its share of the full one: all of it from `RAMP` on."""
        self.margin.copy_(self.full_margin * min(1.0, progress / RAMP))

    def _widened(self, cosine: Tensor) -> Tensor:
        """cos(theta + m) without acos, whose gradient is infinite at the ends."""
        cos_m, sin_m = torch.cos(self.margin), torch.sin(self.margin)
        sine = (1 - cosine.square()).clamp(min=_SMALLEST_SQUARED_SINE).sqrt()
        within = cosine > -cos_m  # theta < pi - m
        return torch.where(within, cosine * cos_m - sine * sin_m, cosine - self.margin * sin_m)
