"""Backbones by name: modules from uint8 images to embeddings."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from training.backbones.airbench import Airbench
from training.backbones.compact import Compact
from training.backbones.normalize import Normalize
from training.config import Recipe
from training.errors import InvalidRecipe

BACKBONES: Mapping[str, Callable[..., nn.Module]] = {"airbench": Airbench, "compact": Compact}
ANY_SIZE = frozenset({"airbench"})
"""Backbones whose weights fit images of every size."""
_SAMPLE = 5000


def make_backbone(recipe: Recipe, train_images: UInt8[Tensor, "n h w 3"]) -> nn.Module:
    """The recipe's backbone behind a normalisation by the training images' own statistics.

    Takes uint8 [b, h, w, 3], gives float embeddings [b, d]. Raises InvalidRecipe.
    """
    if recipe.backbone not in BACKBONES:
        raise InvalidRecipe(f"no backbone {recipe.backbone!r}; there is: {', '.join(BACKBONES)}")
    if recipe.early_px and recipe.backbone not in ANY_SIZE:
        raise InvalidRecipe(f"{recipe.backbone} takes images of one size; leave out early_px")
    sample = train_images[:: max(1, len(train_images) // _SAMPLE)]
    normalize = Normalize(*_statistics(sample))
    widths = {"widths": recipe.widths} if recipe.widths else {}
    backbone = BACKBONES[recipe.backbone](recipe.embedding_size, recipe.size_px, **widths)
    if isinstance(backbone, Airbench):
        with torch.no_grad():
            backbone.fit_whitening(normalize(sample))
    return nn.Sequential(normalize, backbone)


def _statistics(sample: UInt8[Tensor, "n h w 3"]) -> tuple[list[float], list[float]]:
    values = sample.double()
    mean, std = values.mean(dim=(0, 1, 2)), values.std(dim=(0, 1, 2))
    return mean.tolist(), std.clamp(min=1.0).tolist()
