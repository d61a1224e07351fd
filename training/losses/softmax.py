"""Softmax cross-entropy over a linear layer: the baseline."""

from typing import ClassVar

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from models.manifest import Metric
from training.losses.base import Loss
from training.losses.bounds import check_range


class SoftmaxLoss(Loss):
    """CE(Wx + b, y), where y is 1 - smoothing + smoothing / c at the label, smoothing / c elsewhere.

    `smoothing` is for a trunk that others go on from, which it makes more accurate; a model that is
    served has none, since it harms selective classification (arXiv 2403.14715).
    Source: Szegedy et al., Rethinking the Inception Architecture, section 7 (arXiv 1512.00567).
    Raises InvalidRecipe for a smoothing outside 0..1.
    """

    metric: ClassVar[Metric] = "cosine"

    def __init__(self, classes: int, dimension: int, *, smoothing: float = 0.0) -> None:
        super().__init__(classes, dimension)
        check_range("smoothing", smoothing, 0.0, 1.0)
        self.smoothing = smoothing
        self.linear = nn.Linear(dimension, classes)

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """Cross-entropy, in nats."""
        return F.cross_entropy(
            self.compute_logits(embeddings),
            labels,
            weight=self.importance,
            label_smoothing=self.smoothing,
        )

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Wx + b."""
        logits: Tensor = self.linear(embeddings)
        return logits

    def class_weights(self) -> Tensor:
        """W, [c, d]."""
        return self.linear.weight
