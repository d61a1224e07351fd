"""Scaling and normalisation as a layer, so that they travel inside the exported graph."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn


class Normalize(nn.Module):
    """uint8 [b, h, w, 3] to float32 [b, 3, h, w] with zero mean and unit variance a channel.

    `mean` and `std` are those of the training images, on the 0..255 scale; resized
    images may be floats on that scale.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, images: Real[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
        """Normalise a batch."""
        return (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
