"""A backbone behind the normalization by its training images."""

import pytest
import torch
from torch import Tensor, nn

from tests.support.tiny_runs import backbone_of
from training.errors import InvalidRecipe
from training.networks.build import BACKBONES
from training.networks.normalize import Normalize
from training.recipes.recipe import Recipe


def images(count: int = 50, size_px: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, size_px, size_px, 3)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def of(backbone: str, dimension: int = 4, **fields: object) -> Recipe:
    fields |= {"backbone": backbone, "embedding_size": dimension, "size_px": 16}
    return Recipe(loss="softmax").varied(**fields)


def normalization(backbone: nn.Module) -> Normalize:
    found = next(module for module in backbone.modules() if isinstance(module, Normalize))
    assert isinstance(found, Normalize)
    return found


@pytest.mark.parametrize("name", BACKBONES)
def test_uint8_images_become_embeddings(name: str) -> None:
    embeddings = backbone_of(of(name, 12), images())(images(7))
    assert embeddings.shape == (7, 12)
    assert embeddings.dtype == torch.float32


def test_the_training_images_get_zero_mean_and_unit_variance() -> None:
    dark = images() // torch.tensor([1, 2, 4], dtype=torch.uint8)
    normalized = normalization(backbone_of(of("compact"), dark))(dark)
    assert normalized.shape == (50, 3, 16, 16)
    assert normalized.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert normalized.std(dim=(0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-4)


def test_channels_and_pixels_keep_their_places() -> None:
    layer = Normalize([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    batch = images(2)
    found = layer(batch)
    for b, y, x, c in [(0, 0, 0, 0), (1, 3, 5, 1), (0, 15, 2, 2)]:
        expected = (batch[b, y, x, c].item() - (1, 2, 3)[c]) / (1, 2, 4)[c]
        assert found[b, c, y, x].item() == pytest.approx(expected)


def test_images_of_one_color_do_not_divide_by_zero() -> None:
    flat = torch.full((4, 16, 16, 3), 7, dtype=torch.uint8)
    assert backbone_of(of("compact"), flat)(flat).isfinite().all()


def test_the_statistics_travel_with_the_weights() -> None:
    backbone, other = (backbone_of(of("compact"), part) for part in (images(), images() // 3))
    other.load_state_dict(backbone.state_dict())
    assert torch.equal(other(images(3)), backbone(images(3)))
    assert not list(normalization(backbone).parameters())


def test_an_unknown_backbone_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InvalidRecipe, match="no backbone 'huge'; available: airbench, compact"):
        backbone_of(of("huge"), images())


def test_the_recipes_widths_are_the_backbones() -> None:
    narrow = backbone_of(of("compact", widths=(4, 6)), images())
    assert [tuple(p.shape[:2]) for p in narrow.parameters() if p.ndim == 4] == [(4, 3), (6, 4)]


def test_the_recipes_depth_is_the_backbones() -> None:
    deep = backbone_of(of("airbench", widths=(4, 6, 8), depth=3, size_px=16), images())
    assert sum(p.ndim == 4 for p in deep.parameters()) == 1 + 3 * 3


def test_a_depth_is_refused_where_there_is_no_choice() -> None:
    with pytest.raises(InvalidRecipe, match="compact has one depth; leave out depth"):
        backbone_of(of("compact", depth=2), images())


@pytest.mark.parametrize("name", BACKBONES)
def test_widths_of_another_number_are_refused(name: str) -> None:
    with pytest.raises(InvalidRecipe, match=f"{name} has"):
        backbone_of(of(name, widths=(8,)), images())


def test_a_backbone_of_one_size_refuses_smaller_images_early() -> None:
    with pytest.raises(InvalidRecipe, match="compact takes images of one size"):
        backbone_of(of("compact", early_px=12), images())
