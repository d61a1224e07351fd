"""The strong trunk: whitening that whitens and stays, blocks that begin as the identity."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.errors import InvalidRecipe
from training.networks.airbench import Airbench


def smooth(count: int = 64, size_px: int = 16) -> Tensor:
    """Images whose neighboring pixels and channels are alike, as photographs' are."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(count, 3, 5, 5, generator=generator)
    return F.interpolate(coarse, size=(size_px, size_px), mode="bilinear") + coarse.mean()


def test_two_million_parameters_at_its_own_widths() -> None:
    found = sum(parameter.numel() for parameter in Airbench(64, 32).parameters())
    assert 1_950_000 < found < 2_050_000


def test_whitened_patches_are_uncorrelated_with_unit_variance() -> None:
    network = Airbench(8, 16, (4, 6, 8))
    images = smooth()
    network.fit_whitening(images, 5e-4)
    responses = network.whiten(images)[:, :12].permute(0, 2, 3, 1).reshape(-1, 12)
    moments = (responses.T @ responses / len(responses)).detach()
    spread = moments.diagonal()
    torch.testing.assert_close(moments - torch.diag(spread), torch.zeros(12, 12), atol=1e-3, rtol=0)
    assert spread.max() <= 1.001  # directions of hardly any variance stay below 1
    assert (spread > 0.9).sum() >= 6


@pytest.mark.parametrize("floor", [1e-3, 0.02, 0.5])
def test_noise_of_the_floor_s_variance_never_exceeds_one(floor: float) -> None:
    network = Airbench(8, 16, (4, 6, 8))
    network.fit_whitening(smooth(), floor)
    power = network.whiten.weight.square().sum(dim=(1, 2, 3)) * floor  # of white noise
    assert power.max() <= 1.001
    assert power.max() > 0.1


def test_every_direction_stands_with_both_signs() -> None:
    network = Airbench(8, 16, (4, 6, 8))
    network.fit_whitening(smooth(), 5e-4)
    assert torch.equal(network.whiten.weight[12:], -network.whiten.weight[:12])


def test_training_moves_all_but_the_whitening_and_the_scales_of_batch_norm() -> None:
    network = Airbench(8, 16, (4, 6, 8))
    network.fit_whitening(smooth(), 5e-4)
    network(smooth()).square().sum().backward()
    still = {name for name, p in network.named_parameters() if p.grad is None}
    scales = {name for name, p in network.named_parameters() if (p == 1).all() and p.ndim == 1}
    assert still == {"whiten.weight"} | scales
    assert len(scales) == 6


def test_the_first_filters_of_a_block_pass_their_channels_on() -> None:
    convolution = Airbench(8, 16, (4, 6, 8)).get_submodule("blocks.2.0")
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.weight.shape == (6, 4, 3, 3)
    image = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(convolution(image)[:, :4], image)


@pytest.mark.parametrize("size_px", [16, 17, 32, 45, 64])
@pytest.mark.parametrize("depth", [2, 3])
def test_images_of_every_size_from_sixteen_pixels_on(size_px: int, depth: int) -> None:
    assert Airbench(8, size_px, (4, 6, 8), depth)(smooth(3, size_px)).shape == (3, 8)


def test_a_depth_of_three_adds_to_what_the_first_convolution_gave() -> None:
    network = Airbench(8, 16, (4, 6, 8), depth=3).eval()
    block = network.get_submodule("blocks.1")
    assert isinstance(block, nn.Sequential)
    assert sum(isinstance(module, nn.Conv2d) for module in block.modules()) == 3
    features = torch.randn(2, 24, 15, 15)
    first = block[:4](features)
    with torch.no_grad():
        for convolution in block[4].modules():
            if isinstance(convolution, nn.Conv2d):
                convolution.weight.zero_()
    torch.testing.assert_close(block(features), F.gelu(first))


@pytest.mark.parametrize("depth", [1, 4])
def test_other_depths_are_refused(depth: int) -> None:
    with pytest.raises(InvalidRecipe, match=f"2 or 3 convolutions in a block; depth is {depth}"):
        Airbench(8, 16, depth=depth)


def test_smaller_images_are_refused() -> None:
    with pytest.raises(InvalidRecipe, match="16 pixels or more, not 15"):
        Airbench(8, 15)
