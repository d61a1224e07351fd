"""Muon: orthogonal updates, filters of constant norm."""

import pytest
import torch
from torch import nn

from training.optim.muon import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (12, 12)])
def test_orthogonalized_keeps_directions_and_evens_out_their_strength(
    shape: tuple[int, int],
) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalized(matrix)
    strengths = u.T @ found @ v.T
    torch.testing.assert_close(
        strengths - torch.diag(strengths.diagonal()), torch.zeros_like(strengths), atol=1e-3, rtol=0
    )
    assert strengths.diagonal().min() > 0
    before = torch.linalg.svdvals(matrix)
    after = torch.linalg.svdvals(found)
    assert after.max() / after.min() < before.max() / before.min()


def test_a_step_moves_against_the_orthogonalized_gradient_from_filters_of_norm_root_n() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 16, 3, bias=False)
    before, gradient = layer.weight.detach().clone(), torch.randn_like(layer.weight)
    layer.weight.grad = gradient
    Muon([layer.weight], lr=0.1).step()
    update = orthogonalized(gradient.reshape(16, -1)).view_as(before)
    torch.testing.assert_close(
        layer.weight.detach(), before * (16**0.5 / before.norm()) - 0.1 * update
    )


def test_momentum_is_kept_between_steps_and_in_the_state() -> None:
    layers = [nn.Conv2d(2, 4, 3, bias=False) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    first, second = (Muon([layer.weight], lr=0.1) for layer in layers)
    gradients = [torch.randn(4, 2, 3, 3) for _ in range(3)]
    for gradient in gradients:
        layers[0].weight.grad = gradient.clone()
        first.step()
    for gradient in gradients[:2]:
        layers[1].weight.grad = gradient.clone()
        second.step()
    resumed = Muon([layers[1].weight], lr=0.1)
    resumed.load_state_dict(second.state_dict())
    layers[1].weight.grad = gradients[2].clone()
    resumed.step()
    assert torch.equal(layers[0].weight, layers[1].weight)


def test_a_filter_without_gradient_stays() -> None:
    layer = nn.Conv2d(2, 4, 3, bias=False)
    before = layer.weight.detach().clone()
    Muon([layer.weight], lr=0.1).step()
    assert torch.equal(layer.weight, before)
