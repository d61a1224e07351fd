"""The head that CosFace and ArcFace share: scaled cosines to one weight vector per class."""

import inspect
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from models.manifest import Metric
from training.diagnostics.detector import Detector, TrainingSnapshot
from training.diagnostics.margin import TightMargin
from training.diagnostics.scale import POOR_PROBABILITY, ScaleBelowBound
from training.losses.base import Loss, Range
from training.losses.bounds import check_margin, check_scale, smallest_scale
from training.losses.direction import direction


class CosineLoss(Loss):
    """Scores s * cos(x, W_j). The weight is a parameter; scale and margin are buffers.

    Raises InvalidRecipe for a scale or margin that cannot work.
    """

    metric: ClassVar[Metric] = "cosine"
    mixable: ClassVar[bool] = True
    scale: Tensor
    margin: Tensor

    def __init__(self, classes: int, dimension: int, *, scale: float, margin: float) -> None:
        super().__init__(classes, dimension)
        check_scale(scale, classes)
        check_margin(margin, self.largest_margin(classes, dimension), classes, dimension)
        self.weight = nn.Parameter(nn.init.xavier_normal_(torch.empty(classes, dimension)))
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("margin", torch.tensor(margin))
        self._full_margin = margin  # the buffer's may be ramped

    @classmethod
    @abstractmethod
    def largest_margin(cls, classes: int, dimension: int) -> float:
        """The margin that this many classes in this many dimensions can hold, in its own unit."""

    @classmethod
    def fitted_to(
        cls, parameters: Mapping[str, float], classes: int, dimension: int
    ) -> dict[str, float]:
        """`parameters` with the margin, its default included, no larger than what fits."""
        default = inspect.signature(cls).parameters["margin"].default
        wanted = parameters.get("margin", default)
        return {**parameters, "margin": min(wanted, cls.largest_margin(classes, dimension))}

    @classmethod
    def search_within(cls, classes: int, dimension: int) -> Mapping[str, Range]:
        """Scales that the doctor does not warn of, and margins that fit."""
        scale, margin = cls.search["scale"], cls.search["margin"]
        least = max(scale.low, smallest_scale(classes, POOR_PROBABILITY))
        largest = min(margin.high, cls.largest_margin(classes, dimension))
        return {
            **cls.search,
            "scale": scale._replace(low=least, high=max(scale.high, least)),
            "margin": margin._replace(low=min(margin.low, largest), high=largest),
        }

    def detectors(self) -> tuple[Detector[TrainingSnapshot], ...]:
        """Of a scale or a margin that is allowed, and poor."""
        least = smallest_scale(self.classes, POOR_PROBABILITY)
        largest = self.largest_margin(self.classes, self.dimension)
        return (
            ScaleBelowBound(self.scale.item(), least),
            TightMargin(self._full_margin, largest, self.dimension),
        )

    def logit_scale(self) -> float | None:
        """The scale: cosines are bounded."""
        return self.scale.item()

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """The scaled cosines, without margin."""
        return self.scale * self.cosines(embeddings)

    def class_weights(self) -> Tensor | None:
        """The directions W_j, of any length, [c, d]."""
        return self.weight

    def cosines(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """cos(x, W_j), within 1 + rounding of [-1, 1]."""
        return F.linear(direction(embeddings), direction(self.weight))
