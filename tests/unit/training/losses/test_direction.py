"""Embeddings without length get bounded gradients from every loss; others get the exact ones."""

import pytest
import torch
from torch.nn import functional as F

from training.losses import ALL_LOSSES, make_loss
from training.losses.direction import SHORTEST, direction

SOUND = 1e4  # of one embedding; 1e11 and more before


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-6, SHORTEST, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_are_those_of_normalize_to_the_bit(length: float, dtype: torch.dtype) -> None:
    rows = length * F.normalize(torch.randn(50, 8, generator=torch.Generator().manual_seed(0)))
    rows = rows.to(dtype)
    assert torch.equal(direction(rows), F.normalize(rows, dim=-1))


@pytest.mark.parametrize("length", [2 * SHORTEST, 1.0, 1e4])
def test_gradients_are_exact_from_a_length_on(length: float) -> None:
    generator = torch.Generator().manual_seed(1)
    rows = length * F.normalize(torch.randn(5, 3, 8, generator=generator).double(), dim=2)
    ours, theirs = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    pull = torch.randn(5, 3, 8, generator=generator).double()
    (found,) = torch.autograd.grad((direction(ours) * pull).sum(), ours)
    (exact,) = torch.autograd.grad((F.normalize(theirs, dim=2) * pull).sum(), theirs)
    torch.testing.assert_close(found, exact, rtol=1e-10, atol=0)


def test_below_it_gradients_point_the_same_way_and_are_shorter() -> None:
    rows = (1e-5 * F.normalize(torch.randn(9, 4).double())).requires_grad_()
    pull = torch.randn(9, 4).double()
    (bounded,) = torch.autograd.grad((direction(rows) * pull).sum(), rows)
    (exact,) = torch.autograd.grad((F.normalize(rows) * pull).sum(), rows)
    torch.testing.assert_close(bounded, exact * 1e-5 / SHORTEST, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ALL_LOSSES)
@pytest.mark.parametrize("length", [0.0, 1e-20, 1e-8, 1e-4])
def test_no_loss_pulls_hard_at_an_embedding_without_length(name: str, length: float) -> None:
    torch.manual_seed(0)
    loss = make_loss(name, 5, 8)
    rows = F.normalize(torch.randn(20, 8))
    rows[:10] *= length
    embeddings = rows.requires_grad_()
    labels = torch.arange(20) % 5
    torch.autograd.backward(loss(embeddings, labels))
    given = [embeddings.grad, *(parameter.grad for parameter in loss.parameters())]
    lengths = [float(one.norm()) for one in given if one is not None]
    assert lengths
    assert max(lengths) < SOUND


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_no_loss_pulls_hard_where_its_own_weights_have_no_length(name: str) -> None:
    torch.manual_seed(0)
    loss = make_loss(name, 5, 8)
    with torch.no_grad():
        for parameter in loss.parameters():
            parameter.zero_()
    embeddings = F.normalize(torch.randn(20, 8)).requires_grad_()
    torch.autograd.backward(loss(embeddings, torch.arange(20) % 5))
    for one in (embeddings, *loss.parameters()):
        if one.grad is not None:
            assert float(one.grad.norm()) < SOUND
