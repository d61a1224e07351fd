"""Augmentation of a whole batch at once: random crop with reflect padding, horizontal flip."""

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

PADDING_PX = 4


def crop_and_flip(
    images: UInt8[Tensor, "n h w 3"], rows: Int64[Tensor, " b"], generator: torch.Generator
) -> UInt8[Tensor, "b h w 3"]:
    """Images at `rows`, each shifted by up to `PADDING_PX` (reflected) and flipped half the time.

    The same as padding by reflection and cropping back, done by one gather from `images`.
    """
    height, width = images.shape[1:3]
    ys = _shifted(height, len(rows), generator)
    xs = _shifted(width, len(rows), generator)
    flip = torch.rand(len(rows), generator=generator) < 0.5
    xs = torch.where(flip.unsqueeze(1), xs.flip(1), xs)
    return images[rows[:, None, None], ys[:, :, None], xs[:, None, :]]


def _shifted(size: int, count: int, generator: torch.Generator) -> Int64[Tensor, "b s"]:
    padding = min(PADDING_PX, size - 1)
    shifts = torch.randint(-padding, padding + 1, (count, 1), generator=generator)
    places = (torch.arange(size) + shifts).abs()
    last = size - 1
    return last - (last - places).abs()
