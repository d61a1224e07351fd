"""Backbones by name: modules from uint8 images to embeddings."""

from collections.abc import Callable, Mapping

from jaxtyping import UInt8
from torch import Tensor, nn

from training.backbones.compact import Compact
from training.backbones.normalize import Normalize
from training.errors import InvalidRecipe

BACKBONES: Mapping[str, Callable[[int, int], nn.Module]] = {"compact": Compact}


def make_backbone(
    name: str, dimension: int, size_px: int, train_images: UInt8[Tensor, "n h w 3"]
) -> nn.Module:
    """The named backbone behind a normalisation by the training images' own statistics.

    Takes uint8 [b, h, w, 3], gives float embeddings [b, d]. Raises InvalidRecipe.
    """
    if name not in BACKBONES:
        raise InvalidRecipe(f"no backbone {name!r}; there is: {', '.join(BACKBONES)}")
    sample = train_images[:: max(1, len(train_images) // 5000)].double()
    mean, std = sample.mean(dim=(0, 1, 2)), sample.std(dim=(0, 1, 2))
    return nn.Sequential(
        Normalize(mean.tolist(), std.clamp(min=1.0).tolist()), BACKBONES[name](dimension, size_px)
    )
