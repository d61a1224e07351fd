"""The paper's compact network."""

import pytest
import torch
from torch import nn

from training.networks.compact import Compact


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("dimension", [2, 64])
@pytest.mark.parametrize("size_px", [8, 30, 32, 33, 35, 48])
def test_every_size_becomes_embeddings(size_px: int, dimension: int) -> None:
    network = Compact(dimension, size_px)
    assert network(torch.randn(3, 3, size_px, size_px)).shape == (3, dimension)


def test_it_has_about_1_1_million_parameters() -> None:
    conv = 3 * 3 * 3 * 32 + 32 + 3 * 3 * 32 * 64 + 64
    full = 64 * 8 * 8 * 256 + 256 + 256 * 64 + 64
    assert count_parameters(Compact(64, 32)) == conv + full == 1_084_672


def test_its_layers_are_the_papers() -> None:
    layers = [type(layer) for layer in Compact(64, 32).layers]
    stage = [nn.Conv2d, nn.MaxPool2d, nn.ReLU]  # the last two commute
    assert layers == [*stage, *stage, nn.Flatten, nn.Linear, nn.ReLU, nn.Linear]


def test_pooling_before_relu_changes_nothing() -> None:
    network = Compact(64, 32)
    images = torch.randn(2, 3, 32, 32)
    first, pool, relu, second, _, _, *rest = network.layers
    as_printed = nn.Sequential(first, relu, pool, second, relu, pool, *rest)
    assert torch.equal(network(images), as_printed(images))
