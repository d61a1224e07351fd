"""Backbones by name: modules from uint8 images to embeddings."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Real, UInt8
from torch import Tensor, nn

from training.backbones.airbench import Airbench
from training.backbones.compact import Compact
from training.backbones.folding import restore_statistics
from training.backbones.normalize import Normalize
from training.backbones.timm_model import PREFIX, make_timm, own_statistics
from training.backbones.trunk import cut
from training.backbones.weights import (
    RANDOM,
    from_folder,
    from_published,
    load_all_but_the_last_layer,
    read_state,
)
from training.config import Recipe
from training.errors import InvalidRecipe
from training.frozen.projection import FrozenBackbone, Projection

BACKBONES: Mapping[str, Callable[..., nn.Module]] = {"airbench": Airbench, "compact": Compact}
ANY_SIZE = frozenset({"airbench"})
"""Backbones whose weights fit images of every size."""
ANY_DEPTH = frozenset({"airbench"})
"""Backbones whose blocks can have more convolutions or fewer."""
_SAMPLE = 5000


def make_backbone(recipe: Recipe, train_images: Real[Tensor, "n ..."]) -> nn.Module:
    """The recipe's backbone, from uint8 [b, h, w, 3] to float embeddings [b, d].

    It normalises images first, by the statistics that its weights were trained with, and those of
    the training images where they are random. A frozen one only trains a projection, and where
    the training images are features already (`training.frozen`), it is that projection.
    Raises InvalidRecipe, InvalidWeights.
    """
    if train_images.ndim != 4:
        return Projection.fitted(train_images, recipe.embedding_size)
    if not recipe.frozen:
        return _trainable(recipe, train_images)
    trunk = _whole(recipe, train_images)
    return FrozenBackbone(trunk, Projection(cut(trunk), recipe.embedding_size))


def make_trunk(recipe: Recipe) -> nn.Module:
    """What stands before the last linear layer of the recipe's backbone, with its weights.

    Takes uint8 [b, h, w, 3], gives features [b, f]. Raises InvalidRecipe, InvalidWeights.
    """
    unseen = torch.zeros(2, recipe.size_px, recipe.size_px, 3, dtype=torch.uint8)
    trunk = _whole(recipe, unseen)
    cut(trunk)
    return trunk.eval()


def _trainable(recipe: Recipe, train_images: UInt8[Tensor, "n h w 3"]) -> nn.Module:
    backbone = _whole(recipe, train_images)
    if from_published(recipe):
        restore_statistics(backbone, _sampled(train_images))
    return backbone


def _whole(recipe: Recipe, train_images: UInt8[Tensor, "n h w 3"]) -> nn.Module:
    if recipe.early_px and recipe.backbone not in ANY_SIZE:
        raise InvalidRecipe(f"{recipe.backbone} takes images of one size; leave out early_px")
    sample = _sampled(train_images)
    normalize = Normalize(*_statistics(sample), smooth_chroma=recipe.smooth_chroma)
    if recipe.backbone.startswith(PREFIX):
        return _timm(recipe, normalize)
    backbone = nn.Sequential(normalize, _named(recipe))
    if recipe.weights != RANDOM:
        load_all_but_the_last_layer(backbone, recipe)
    elif isinstance(backbone[1], Airbench):
        with torch.no_grad():
            backbone[1].fit_whitening(normalize(sample), recipe.whitening_floor)
    return backbone


def _named(recipe: Recipe) -> nn.Module:
    if recipe.backbone not in BACKBONES:
        names = ", ".join([*BACKBONES, f"{PREFIX}<name>"])
        raise InvalidRecipe(f"no backbone {recipe.backbone!r}; there is: {names}")
    if recipe.depth and recipe.backbone not in ANY_DEPTH:
        raise InvalidRecipe(f"{recipe.backbone} has one depth; leave out depth")
    asked = {"widths": recipe.widths, "depth": recipe.depth}
    shape = {name: value for name, value in asked.items() if value}
    return BACKBONES[recipe.backbone](recipe.embedding_size, recipe.size_px, **shape)


def _timm(recipe: Recipe, normalize: Normalize) -> nn.Module:
    if recipe.widths or recipe.depth:
        raise InvalidRecipe(
            f"{recipe.backbone} has widths and a depth of its own; leave out widths and depth"
        )
    if recipe.weights == RANDOM:
        return nn.Sequential(normalize, make_timm(recipe, None))
    if not from_folder(recipe):
        return nn.Sequential(own_statistics(recipe), make_timm(recipe, read_state(recipe)))
    backbone = nn.Sequential(normalize, make_timm(recipe, None))
    load_all_but_the_last_layer(backbone, recipe)
    return backbone


def _sampled(train_images: UInt8[Tensor, "n h w 3"]) -> UInt8[Tensor, "m h w 3"]:
    return train_images[:: max(1, len(train_images) // _SAMPLE)]


def _statistics(sample: UInt8[Tensor, "n h w 3"]) -> tuple[list[float], list[float]]:
    values = sample.double()
    mean, std = values.mean(dim=(0, 1, 2)), values.std(dim=(0, 1, 2))
    return mean.tolist(), std.clamp(min=1.0).tolist()
