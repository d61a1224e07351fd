"""Center loss: exact distances, and centers that are placed, moved and kept as they should."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from training.losses.center import CenterLoss


def entropy(loss: CenterLoss, embeddings: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(loss.logits(embeddings), labels)


def placed_at(places: Tensor, **parameters: float) -> CenterLoss:
    classes, dimension = places.shape
    loss = CenterLoss(classes, dimension, **parameters).to(places.dtype)
    loss.centers.copy_(places)
    loss.placed.fill_(True)
    return loss


@pytest.mark.parametrize("magnitude", [1.0, 1e2, 1e4])
def test_at_its_centers_the_loss_is_cross_entropy_to_the_last_bit(magnitude: float) -> None:
    """The expanded square |x|^2 - 2xc + |c|^2 leaves hundreds at 1e4."""
    places = magnitude * torch.randn(10, 64, generator=torch.Generator().manual_seed(0))
    loss = placed_at(places, weight=1.0)
    assert torch.equal(loss(places, torch.arange(10)), entropy(loss, places, torch.arange(10)))


def test_near_a_far_center_the_distance_is_exact() -> None:
    places = torch.full((2, 4), 1e4)
    loss = placed_at(places, weight=2.0)
    embeddings = places + torch.tensor([[0.5, 0, 0, 0], [0, 0, 0.25, 0]])
    pull = loss(embeddings, torch.arange(2)) - entropy(loss, embeddings, torch.arange(2))
    assert pull.item() == pytest.approx((0.25 + 0.0625) / 2, rel=1e-3)


def test_nothing_is_clamped_after_masking() -> None:
    """Clamping the masked b x c matrix at 1e-12 adds (C - 1) * 1e-12 a row: 4.5 at this weight."""
    places = torch.randn(10, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    loss = placed_at(places, weight=1e12)
    labels = torch.arange(10)
    assert loss(places, labels).item() == entropy(loss, places, labels).item()


def test_only_the_weight_scales_the_pull_on_an_embedding() -> None:
    embeddings, labels = random_batch(12, 3, 5)
    loss = placed_at(torch.ones(3, 5, dtype=torch.float64), weight=0.1, rate=0.25)
    embeddings.requires_grad_()
    (pulled,) = torch.autograd.grad(loss(embeddings, labels), embeddings)
    (plain,) = torch.autograd.grad(entropy(loss, embeddings, labels), embeddings)
    torch.testing.assert_close(pulled - plain, 0.1 * (embeddings.detach() - 1) / 12)


def test_centers_take_the_papers_step() -> None:
    embeddings, labels = random_batch(20, 4, 3)
    labels[labels == 3] = 0  # a class that is not in the batch
    places = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    loss = placed_at(places, rate=0.5)
    loss(embeddings, labels)
    for j in range(4):
        members = [x for x, y in zip(embeddings, labels.tolist(), strict=True) if y == j]
        step = sum((places[j] - x for x in members), torch.zeros(3, dtype=torch.float64))
        torch.testing.assert_close(loss.centers[j], places[j] - 0.5 * step / (1 + len(members)))
    assert torch.equal(loss.centers[3], places[3])


def test_the_loss_is_taken_before_the_centers_move() -> None:
    embeddings, labels = random_batch(20, 4, 3)
    places = torch.ones(4, 3, dtype=torch.float64)
    training, evaluating = placed_at(places), placed_at(places).eval()
    evaluating.linear.load_state_dict(training.linear.state_dict())
    torch.testing.assert_close(training(embeddings, labels), evaluating(embeddings, labels))


def test_a_class_starts_at_the_mean_of_its_first_batch() -> None:
    loss = CenterLoss(3, 4).double()
    embeddings, _ = random_batch(6, 3, 4)
    loss(embeddings, torch.tensor([0, 0, 0, 2, 2, 0]))
    torch.testing.assert_close(loss.centers[0], embeddings[[0, 1, 2, 5]].mean(dim=0))
    torch.testing.assert_close(loss.centers[2], embeddings[[3, 4]].mean(dim=0))
    assert loss.placed.tolist() == [True, False, True]

    first = loss.centers[0].clone()
    loss(10 + embeddings[:2], torch.tensor([1, 1]))
    torch.testing.assert_close(loss.centers[1], 10 + embeddings[:2].mean(dim=0))
    assert torch.equal(loss.centers[0], first)


def test_a_placed_center_is_not_placed_again() -> None:
    loss = placed_at(torch.zeros(2, 1), rate=0.5)
    loss(torch.tensor([[9.0]]), torch.tensor([0]))
    assert loss.centers[0].item() == pytest.approx(9 * 0.5 / 2)


def test_centers_stand_still_in_evaluation() -> None:
    embeddings, labels = random_batch(20, 4, 3)
    loss = CenterLoss(4, 3).double().eval()
    loss(embeddings, labels)
    assert not loss.centers.any()
    assert not loss.placed.any()


def test_centers_are_buffers_without_gradient() -> None:
    loss = CenterLoss(4, 3).double()
    assert [name for name, _ in loss.named_parameters()] == ["linear.weight", "linear.bias"]
    assert {"centers", "placed"} <= loss.state_dict().keys()
    embeddings, labels = random_batch(20, 4, 3)
    for _ in range(2):  # a graph through the centers would fail the second time
        loss(embeddings.clone().requires_grad_(), labels).backward()
    assert not loss.centers.requires_grad


def test_diagnostics_compare_the_terms_gradients_and_read_the_centers() -> None:
    embeddings, labels = random_batch(24, 4, 5)
    labels = labels % 3  # class 3 was never seen: its center counts for nothing
    loss = CenterLoss(4, 5, weight=0.7).double()
    loss(embeddings, labels)
    loss.eval()
    leaf = embeddings.clone().requires_grad_()
    entropy = torch.nn.functional.cross_entropy(loss.logits(leaf), labels, reduction="sum")
    (whole,) = torch.autograd.grad(len(labels) * loss(leaf, labels), leaf)
    (part,) = torch.autograd.grad(entropy, leaf)
    found = loss.diagnostics(embeddings, labels)
    expected = (whole - part).norm(dim=1).mean() / part.norm(dim=1).mean()
    assert found["pull_ratio"] == pytest.approx(expected.item())
    own = [loss.logits(loss.centers)[label].softmax(0)[label].item() for label in range(3)]
    assert found["center_probability"] == pytest.approx(math.prod(own) ** (1 / 3))
