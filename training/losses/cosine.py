"""The head that CosFace and ArcFace share: scaled cosines to one weight vector per class."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.manifest import Metric
from training.losses.base import Loss
from training.losses.bounds import check_margin, check_scale


class CosineLoss(Loss):
    """Scores s * cos(x, W_j). The weight is a parameter; scale and margin are buffers.

    `largest_margin` is the margin that this many classes in this many dimensions can hold, in
    the subclass's unit. Raises InvalidRecipe for a scale or margin that cannot work.
    """

    metric: ClassVar[Metric] = "cosine"
    scale: Tensor
    margin: Tensor

    def __init__(
        self, classes: int, dimension: int, *, scale: float, margin: float, largest_margin: float
    ) -> None:
        super().__init__(classes, dimension)
        check_scale(scale, classes)
        check_margin(margin, largest_margin, classes, dimension)
        self.weight = nn.Parameter(nn.init.xavier_normal_(torch.empty(classes, dimension)))
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("margin", torch.tensor(margin))

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """The scaled cosines, without margin."""
        return self.scale * self.cosines(embeddings)

    def cosines(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """cos(x, W_j), within 1 + rounding of [-1, 1]."""
        return F.linear(F.normalize(embeddings), F.normalize(self.weight))
