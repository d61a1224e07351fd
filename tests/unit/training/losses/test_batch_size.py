"""A mean over the batch: hyperparameters do not depend on how large a batch is."""

import math

import pytest
import torch
from torch import Tensor

from tests.support.loss_batches import random_batch
from training.losses import make_loss
from training.losses.center import CenterLoss
from training.losses.triplet import TripletLoss, mine


def twice(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    embeddings, labels = batch
    return torch.cat([embeddings, embeddings]), torch.cat([labels, labels])


@pytest.mark.parametrize("name", ["softmax", "center", "cosface", "arcface"])
def test_a_batch_given_twice_costs_the_same(name: str) -> None:
    batch, loss = random_batch(20, 4, 8), make_loss(name, 4, 8).double().eval()
    torch.testing.assert_close(loss(*twice(batch)), loss(*batch))


@pytest.mark.parametrize("name", ["softmax", "center", "cosface", "arcface"])
def test_a_batch_given_twice_pulls_on_the_parameters_as_much(name: str) -> None:
    batch, loss = random_batch(20, 4, 8), make_loss(name, 4, 8).double().eval()
    once = torch.autograd.grad(loss(*batch), list(loss.parameters()))
    torch.testing.assert_close(
        torch.autograd.grad(loss(*twice(batch)), list(loss.parameters())), once
    )


def test_center_starts_at_the_same_means_from_a_batch_given_twice() -> None:
    batch = random_batch(20, 4, 8)
    once, double = CenterLoss(4, 8).double(), CenterLoss(4, 8).double()
    double.linear.load_state_dict(once.linear.state_dict())
    torch.testing.assert_close(double(*twice(batch)), once(*batch))
    torch.testing.assert_close(double.centers, once.centers)


def test_triplet_adds_the_pairs_of_an_image_with_its_copy_and_nothing_else() -> None:
    """Each old pair occurs four times with the negative it had; the new ones are at distance 0."""
    embeddings, labels = random_batch(20, 4, 8)
    loss = TripletLoss(4, 8).double()
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    pairs = len(mine(unit, labels).positive)
    points = list(zip(unit.tolist(), labels.tolist(), strict=True))
    with_copy = sum(
        max(0.0, loss.margin.item() - min(math.dist(x, z) for z, k in points if k != y))
        for x, y in points
    )
    total = 4 * pairs * loss(embeddings, labels).item() + 2 * with_copy
    value = loss(*twice((embeddings, labels)))
    assert value.item() == pytest.approx(total / (4 * pairs + 2 * len(labels)))
