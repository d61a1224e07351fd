"""The three losses that pytorch-metric-learning also has, on the same weights and batches.

It has no center loss, and its softmax losses normalize.
"""

import math
from typing import Any

import pytest
import torch
from pytorch_metric_learning import losses as others
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from tests.support.naive_losses import semi_hard_triplets
from training.losses.arcface import ArcFaceLoss
from training.losses.cosface import CosFaceLoss
from training.losses.cosine import CosineLoss
from training.losses.triplet import TripletLoss


def value_and_gradient(loss: Any, embeddings: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    leaf = embeddings.clone().requires_grad_()
    value = loss(leaf, *rest)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def assert_equal_heads(ours: CosineLoss, theirs: Any, embeddings: Tensor, labels: Tensor) -> None:
    with torch.no_grad():
        theirs.W.copy_(ours.weight.T)
    expected = value_and_gradient(theirs, embeddings, labels)
    torch.testing.assert_close(value_and_gradient(ours, embeddings, labels), expected)
    torch.testing.assert_close(ours.logits(embeddings), theirs.get_logits(embeddings))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("margin", [0.1, 0.35])
def test_cosface(margin: float, seed: int) -> None:
    torch.manual_seed(seed)
    ours = CosFaceLoss(10, 16, scale=20.0, margin=margin).double()
    theirs = others.CosFaceLoss(10, 16, margin=ours.margin.item(), scale=20.0).double()
    assert_equal_heads(ours, theirs, *random_batch(40, 10, 16, seed))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("margin_rad", [0.2, 0.5])
def test_arcface_whose_margin_there_is_in_degrees(margin_rad: float, seed: int) -> None:
    torch.manual_seed(seed)
    ours = ArcFaceLoss(10, 16, scale=20.0, margin=margin_rad).double()
    degrees = math.degrees(ours.margin.item())
    theirs = others.ArcFaceLoss(10, 16, margin=degrees, scale=20.0).double()
    assert_equal_heads(ours, theirs, *random_batch(40, 10, 16, seed))


def test_arcface_past_pi() -> None:
    torch.manual_seed(0)
    ours = ArcFaceLoss(10, 16, scale=20.0, margin=0.5).double()
    theirs = others.ArcFaceLoss(
        10, 16, margin=math.degrees(ours.margin.item()), scale=20.0
    ).double()
    nearly_opposite = -ours.weight.detach() + 0.05 * random_batch(10, 10, 16)[0].sign()
    angles = torch.acos(F.cosine_similarity(nearly_opposite, ours.weight))
    assert (angles > math.pi - 0.5).all()
    assert_equal_heads(ours, theirs, nearly_opposite, torch.arange(10))


@pytest.mark.parametrize("seed", range(3))
def test_triplet_on_our_triplets(seed: int) -> None:
    embeddings, labels = random_batch(24, 3, 8, seed)
    triplets = semi_hard_triplets(F.normalize(embeddings).tolist(), labels.tolist())
    indices = tuple(torch.tensor(column) for column in zip(*triplets, strict=True))
    ours = TripletLoss(3, 8).double()
    theirs = others.TripletMarginLoss(
        margin=ours.margin.item(),
        distance=LpDistance(normalize_embeddings=True, p=2),
        reducer=MeanReducer(),  # its default leaves the satisfied triplets out of the mean
    )
    expected = value_and_gradient(theirs, embeddings, labels, indices)
    torch.testing.assert_close(value_and_gradient(ours, embeddings, labels), expected)
