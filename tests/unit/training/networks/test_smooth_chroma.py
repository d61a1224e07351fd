"""Color averaged inside the network: brightness stays, noise in color fades, starts carry it on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.tiny_runs import backbone_of, tiny_recipe
from tests.unit.training.checkpoints.test_weights_of_a_model import (
    DEEP,
    IMAGES,
    embeddings,
    published,
    trained,
)
from training.checkpoints.sources import open_source
from training.checkpoints.weights import pinned
from training.errors import InvalidWeights
from training.networks.normalize import Normalize

LUMA = torch.tensor([0.299, 0.587, 0.114])
SMOOTH = Normalize([0.0] * 3, [1.0] * 3, smooth_chroma=True)


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Published models to start from, by whether they smooth."""
    folder = tmp_path_factory.mktemp("starts")
    return {
        smooth: published(folder / str(smooth), *trained(**DEEP, smooth_chroma=smooth))
        for smooth in (True, False)
    }


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0))


def test_gray_images_and_even_colors_pass_unchanged() -> None:
    gray = noise(2, 16, 16, 1).expand(2, 16, 16, 3)
    even = torch.tensor([10, 200, 90]).expand(1, 8, 8, 3)
    for images in (gray, even):
        expected = images.permute(0, 3, 1, 2).float()
        torch.testing.assert_close(SMOOTH(images), expected, atol=1e-3, rtol=0)


def test_brightness_stays_and_color_is_the_mean_of_nine_pixels() -> None:
    images = noise(1, 16, 16, 3)
    found, planes = SMOOTH(images)[0], images[0].permute(2, 0, 1).float()
    before, after = (torch.einsum("c,chw->hw", LUMA, one) for one in (planes, found))
    torch.testing.assert_close(after, before, atol=1e-3, rtol=0)
    weights = torch.tensor([1.0, 2.0, 1.0])
    around = (planes - before)[:, 4:7, 8:11] * weights.view(3, 1) * weights.view(1, 3) / 16
    expected = before[5, 9] + around.sum(dim=(1, 2))
    torch.testing.assert_close(found[:, 5, 9], expected, atol=1e-3, rtol=0)


def test_the_border_repeats_its_pixels() -> None:
    flat = torch.zeros(1, 8, 8, 3)
    flat[:, :, 0] = torch.tensor([200.0, 0.0, 0.0])
    column = SMOOTH(flat)[0, :, 4, 0]
    luma = 200 * 0.299
    expected = luma + 0.75 * (torch.tensor([200.0, 0.0, 0.0]) - luma)
    torch.testing.assert_close(column, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("smooth", [True, False])
def test_a_start_says_whether_it_smooths_and_is_carried_on(
    starts: dict[bool, Path], smooth: bool
) -> None:
    path = starts[smooth]
    shape = open_source(path).shape
    assert shape.get("smooth_chroma", False) is smooth
    recipe = pinned(tiny_recipe("triplet", weights=str(path), **shape).varied(size_px=16))
    assert recipe.smooth_chroma is smooth
    theirs, ours = embeddings(path, backbone_of(recipe, IMAGES))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_start_without_it_can_be_given_it_and_not_the_other_way(
    starts: dict[bool, Path],
) -> None:
    plain, smooth = starts[False], starts[True]
    shape = open_source(plain).shape | {"weights": str(plain), "size_px": 16}
    before, after = (
        backbone_of(tiny_recipe("triplet", **shape, smooth_chroma=given), IMAGES).get_submodule(
            "0"
        )(IMAGES)
        for given in (False, True)
    )
    assert (before - after).abs().max() > 0.1
    asked = open_source(smooth).shape | {"weights": str(smooth), "smooth_chroma": False}
    with pytest.raises(InvalidWeights, match="smooth_chroma=True"):
        backbone_of(tiny_recipe("triplet", size_px=16, **asked), IMAGES)
