"""The peer of each loss: pytorch-metric-learning's, or the published formula.

It has no plain softmax and no center loss. Its NormalizedSoftmaxLoss (cosines over a temperature,
no bias) is the nearest to softmax; center is the paper's sum in the expanded form in which it is
commonly written, with the centers as parameters, beside cross-entropy.
"""

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int64
from pytorch_metric_learning import losses, miners
from torch import Tensor, nn
from torch.nn import functional as F

SCALE, MARGIN, MARGIN_RAD, MARGIN_TRIPLET, WEIGHT = 16.0, 0.2, 0.3, 0.2, 3e-3


class PublishedCenter(nn.Module):
    """CE + (weight / 2) * mean |x - c_y|^2 by |x|^2 + |c|^2 - 2 x.c over all classes, masked."""

    def __init__(self, classes: int, dimension: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, classes)
        self.centers = nn.Parameter(torch.randn(classes, dimension))

    def forward(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """The mean over the batch."""
        squares = embeddings.square().sum(1, keepdim=True) + self.centers.square().sum(1)
        distances = squares - 2 * embeddings @ self.centers.T
        own = F.one_hot(labels, len(self.centers))
        pull = (distances * own).sum() / len(labels)
        return F.cross_entropy(self.linear(embeddings), labels) + WEIGHT / 2 * pull


class MinedTriplet(nn.Module):
    """Every triplet with d_ap < d_an <= d_ap + margin: all semi-hard ones, where ours takes one."""

    def __init__(self, _classes: int, _dimension: int) -> None:
        super().__init__()
        self.miner = miners.TripletMarginMiner(MARGIN_TRIPLET, type_of_triplets="semihard")
        self.loss = losses.TripletMarginLoss(margin=MARGIN_TRIPLET)

    def forward(self, embeddings: Float[Tensor, "b d"], labels: Int64[Tensor, " b"]) -> Tensor:
        """The mean over triplets that cost something."""
        value: Tensor = self.loss(embeddings, labels, self.miner(embeddings, labels))
        return value


def normalized_softmax(classes: int, dimension: int) -> nn.Module:
    """CE of cosines over a temperature."""
    loss: nn.Module = losses.NormalizedSoftmaxLoss(classes, dimension, temperature=1 / SCALE)
    return loss


def cosface(classes: int, dimension: int) -> nn.Module:
    """The same formula as ours."""
    loss: nn.Module = losses.CosFaceLoss(classes, dimension, margin=MARGIN, scale=SCALE)
    return loss


def arcface(classes: int, dimension: int) -> nn.Module:
    """The same formula, by acos; its margin is in degrees."""
    degrees = math.degrees(MARGIN_RAD)
    loss: nn.Module = losses.ArcFaceLoss(classes, dimension, margin=degrees, scale=SCALE)
    return loss


PEERS: Mapping[str, Callable[[int, int], nn.Module]] = {
    "softmax": normalized_softmax,
    "center": PublishedCenter,
    "cosface": cosface,
    "arcface": arcface,
    "triplet": MinedTriplet,
}
