"""Proxy-Anchor: a learned proxy for each class is the anchor, the batch's images its examples."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from models.manifest import Metric
from training.losses.base import Loss, Range
from training.losses.bounds import check_range
from training.losses.direction import direction


class ProxyAnchorLoss(Loss):
    """Pulls each class's images to its proxy and pushes the others away, hard ones most.

    1/|P+| sum_(p in P+) ln(1 + sum_(x of p) e^(-a(s(x, p) - m)))
    + 1/|P| sum_p ln(1 + sum_(x of others) e^(a(s(x, p) + m))), with s the cosine, a the scale and m
    the margin; P+ are the proxies that have images in the batch.
    Source: Kim et al., Proxy Anchor Loss for Deep Metric Learning, arXiv 2003.13911, equation 4.
    Classifies by the scaled cosine to the proxies. Takes P x K batches, so that each class has
    images in it. Raises InvalidRecipe for a scale outside 1 to 64 or a margin outside 0 to 1.
    """

    metric: ClassVar[Metric] = "cosine"
    sampling = "balanced"
    search: ClassVar[Mapping[str, Range]] = {
        "scale": Range(8.0, 64.0, log=True),
        "margin": Range(0.02, 0.3),
    }
    scale: Tensor
    margin: Tensor

    def __init__(
        self, classes: int, dimension: int, *, scale: float = 32.0, margin: float = 0.1
    ) -> None:
        super().__init__(classes, dimension)
        check_range("scale", scale, 1.0, 64.0)
        check_range("margin", margin, 0.0, 1.0)
        self.proxies = nn.Parameter(nn.init.kaiming_normal_(torch.empty(classes, dimension)))
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("margin", torch.tensor(margin))

    def compute_loss(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """The mean over proxies, in nats."""
        cosines = self._cosines(embeddings)
        own = F.one_hot(labels, self.classes).bool()
        pulls = _log_1_plus_sum(-self.scale * (cosines - self.margin), own)
        pushes = _log_1_plus_sum(self.scale * (cosines + self.margin), ~own)
        return self._mean(pulls, own.any(dim=0)) + self._mean(pushes, torch.ones_like(own[0]))

    def compute_logits(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """The scaled cosines to the proxies."""
        return self.scale * self._cosines(embeddings)

    def class_weights(self) -> Tensor:
        """The proxies, of any length, [c, d]."""
        return self.proxies

    def logit_scale(self) -> float | None:
        """The scale: cosines are bounded."""
        return self.scale.item()

    def _cosines(self, embeddings: Tensor) -> Float[Tensor, "b c"]:
        return F.linear(direction(embeddings), direction(self.proxies))

    def _mean(self, values: Float[Tensor, " c"], proxies: Bool[Tensor, " c"]) -> Tensor:
        return self.mean(values[proxies], proxies.nonzero().squeeze(1))


def _log_1_plus_sum(exponents: Float[Tensor, "b c"], among: Bool[Tensor, "b c"]) -> Tensor:
    """ln(1 + sum of e^exponent over the rows that are among them), of each column: [c]."""
    chosen = exponents.masked_fill(~among, -torch.inf)
    one = torch.zeros_like(exponents[:1])  # e^0
    return torch.logsumexp(torch.cat((one, chosen)), dim=0)
