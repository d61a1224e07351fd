"""LogitNorm: cross-entropy over logits of one length, so that training cannot raise confidence."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.manifest import Metric
from training.losses.base import Loss, Range
from training.losses.bounds import check_range
from training.losses.direction import direction


class LogitNormLoss(Loss):
    """CE(f / (t * |f|), y), with f = Wx + b and the temperature t.

    Classifies by f itself, whose length then says how sure it is.
    Source: Wei et al., Mitigating Neural Network Overconfidence with Logit Normalization,
    arXiv 2205.09310, equation 6. Raises InvalidRecipe for a temperature outside 0.01 to 1.
    """

    metric: ClassVar[Metric] = "cosine"
    mixable: ClassVar[bool] = True
    search: ClassVar[Mapping[str, Range]] = {"temperature": Range(0.02, 0.2, log=True)}
    temperature: Tensor

    def __init__(self, classes: int, dimension: int, *, temperature: float = 0.04) -> None:
        super().__init__(classes, dimension)
        check_range("temperature", temperature, 0.01, 1.0)
        self.linear = nn.Linear(dimension, classes)
        self.register_buffer("temperature", torch.tensor(temperature))

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """Cross-entropy over the logits at a length of 1 / temperature, in nats."""
        scaled = direction(self.compute_logits(embeddings)) / self.temperature
        return self.cross_entropy(scaled, labels)

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Wx + b, of any length."""
        logits: Tensor = self.linear(embeddings)
        return logits

    def class_weights(self) -> Tensor:
        """W, [c, d]."""
        return self.linear.weight
