"""CosFace: an additive margin on the cosine of the true class."""

import math
from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from training.losses.base import Range
from training.losses.bounds import largest_separation_rad
from training.losses.cosine import CosineLoss


class CosFaceLoss(CosineLoss):
    """CE(s * (cos_j - m * 1[j = y]), y).

    Source: Wang et al., CosFace, arXiv 1801.09414, equation 4. The margin is a difference of
    cosines; section 3.4 bounds it by 1 - cos of the angle between neighboring classes.
    """

    search: ClassVar[Mapping[str, Range]] = {
        "scale": Range(8.0, 32.0, log=True),
        "margin": Range(0.1, 0.35),
    }

    def __init__(
        self, classes: int, dimension: int, *, scale: float = 16.0, margin: float = 0.2
    ) -> None:
        super().__init__(classes, dimension, scale=scale, margin=margin)

    @classmethod
    def largest_margin(cls, classes: int, dimension: int) -> float:
        """1 - cos of the widest angle between neighboring classes."""
        return 1 - math.cos(largest_separation_rad(classes, dimension))

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """Cross-entropy over the scaled cosines, the true class's less the margin, in nats."""
        cosines = self.cosines(embeddings)
        margins = self.margin * F.one_hot(labels, self.classes)
        logits = self.scale * (cosines - margins)
        return self.cross_entropy(logits, labels)
