"""Softmax cross-entropy over a linear layer: the baseline."""

from typing import ClassVar

from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.manifest import Metric
from training.losses.base import Loss


class SoftmaxLoss(Loss):
    """CE(Wx + b, y), without label smoothing (it harms selective classification, 2403.14715)."""

    metric: ClassVar[Metric] = "cosine"
    mixable: ClassVar[bool] = True

    def __init__(self, classes: int, dimension: int) -> None:
        super().__init__(classes, dimension)
        self.linear = nn.Linear(dimension, classes)

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """Cross-entropy, in nats."""
        return self.cross_entropy(self.compute_logits(embeddings), labels)

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Wx + b."""
        logits: Tensor = self.linear(embeddings)
        return logits

    def class_weights(self) -> Tensor:
        """W, [c, d]."""
        return self.linear.weight
