"""Augmentation of a whole batch at once: shift, mirror, warp, noise, cutout, CutMix, shrinking."""

import math

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from training.common import seeds
from training.data.noise import blurred, noisy, reencoded
from training.recipes.recipe import Recipe

GRAY = 127
LARGEST_ZOOM = 1.2
LARGEST_STRETCH = 1.1
LARGEST_TURN_DEGREES = 10.0


def crop_and_flip(
    images: UInt8[Tensor, "n h w 3"],
    rows: Int64[Tensor, " b"],
    flip: Bool[Tensor, " b"] | None,
    padding_px: int,
    generator: torch.Generator,
    part: slice = slice(None),
) -> UInt8[Tensor, "p h w 3"]:
    """Images at `rows`, each shifted by up to `padding_px` (reflected), mirrored where `flip`.

    Only `part` of them is made, as it would be among all. Without `flip`, each is mirrored half
    the time. The same as padding by reflection and cropping back, by one gather from `images`.
    """
    height, width = images.shape[1:3]
    ys = _shifted(height, padding_px, len(rows), generator)
    xs = _shifted(width, padding_px, len(rows), generator)
    if flip is None:
        flip = torch.rand(len(rows), generator=generator) < 0.5
    xs = torch.where(flip.unsqueeze(1), xs.flip(1), xs)
    return images[rows[part, None, None], ys[part, :, None], xs[part, None, :]]


def _shifted(size: int, largest: int, count: int, generator: torch.Generator) -> Tensor:
    padding = min(largest, size - 1)
    shifts = torch.randint(-padding, padding + 1, (count, 1), generator=generator)
    places = (torch.arange(size) + shifts).abs()
    last = size - 1
    return last - (last - places).abs()


def warped(
    images: UInt8[Tensor, "p h w 3"],
    share: float,
    count: int,
    generator: torch.Generator,
    part: slice = slice(None),
) -> UInt8[Tensor, "p h w 3"]:
    """`images`, of which `share` are zoomed, stretched and turned about their center.

    Each by a zoom of 1 / 1.2 to 1.2 and a ratio of its axes of 1 / 1.1 to 1.1 (their logarithms
    drawn evenly), and by up to 10 degrees; bilinear, reflected beyond the border. They are `part`
    of a batch of `count`; the others stay as they are to the byte.
    """
    drawn = 2 * torch.rand(3, count, generator=generator)[:, part] - 1
    chosen = torch.rand(count, generator=generator)[part] < share
    if not chosen.any():
        return images
    zoom, stretch, turn = drawn[:, chosen].double()
    zoom, stretch = LARGEST_ZOOM**zoom, LARGEST_STRETCH ** (stretch / 2)
    turn = math.radians(LARGEST_TURN_DEGREES) * turn
    height, width = images.shape[1:3]
    cosine, sine = turn.cos(), turn.sin()
    across, down = zoom * stretch, zoom / stretch  # from places in the result back to the image
    places = torch.stack(
        [
            torch.stack([cosine / across, sine / across * (height / width)], dim=1),
            torch.stack([-sine / down * (width / height), cosine / down], dim=1),
        ],
        dim=1,
    )
    matrices = F.pad(places, (0, 1)).float().to(images.device)
    planes = images[chosen].permute(0, 3, 1, 2).float()
    grid = F.affine_grid(matrices, list(planes.shape), align_corners=False)
    moved = F.grid_sample(planes, grid, padding_mode="reflection", align_corners=False)
    result = images.clone()
    result[chosen] = moved.round().to(torch.uint8).permute(0, 2, 3, 1)
    return result


def cut_out(
    images: UInt8[Tensor, "p h w 3"],
    size_px: int,
    count: int,
    generator: torch.Generator,
    part: slice = slice(None),
) -> UInt8[Tensor, "p h w 3"]:
    """`images`, each with a gray square of `size_px` whose center may be anywhere.

    What lies over the border hides nothing. They are `part` of a batch of `count`.
    Source: DeVries and Taylor, Improved regularization with cutout (arXiv 1708.04552, section 3).
    """
    height, width = images.shape[1:3]
    rows = _covered(height, size_px, count, generator)[part].to(images.device)
    columns = _covered(width, size_px, count, generator)[part].to(images.device)
    square = rows.view(-1, height, 1, 1) & columns.view(-1, 1, width, 1)
    return images.masked_fill(square, GRAY)


def _covered(size: int, size_px: int, count: int, generator: torch.Generator) -> Tensor:
    first = torch.randint(size, (count, 1), generator=generator) - size_px // 2
    places = torch.arange(size)
    return (places >= first) & (places < first + size_px)


def cut_mixed(
    images: UInt8[Tensor, "p h w 3"],
    others: UInt8[Tensor, "p h w 3"],
    generator: torch.Generator,
) -> tuple[UInt8[Tensor, "p h w 3"], float]:
    """`images`, each with one rectangle from the same place of `others`; the share that stays.

    The rectangle is the same for all. It has the image's aspect and a share of its area that is
    drawn evenly from 0..1; its center may be anywhere, and what lies over the border is lost.
    Source: Yun et al., CutMix (arXiv 1905.04899, equations 1 and 2, with alpha = 1).
    """
    height, width = images.shape[1:3]
    side = float(torch.rand(1, generator=generator).sqrt())
    rows = _covered(height, round(side * height), 1, generator)
    columns = _covered(width, round(side * width), 1, generator)
    hidden = (rows.view(-1, 1) & columns.view(1, -1)).to(images.device)
    kept = 1 - float(hidden.double().mean())
    return torch.where(hidden.unsqueeze(-1), others, images), kept


def alternating(count: int, epoch: int, seed: int) -> Bool[Tensor, " n"]:
    """Choose the mirrored images of `epoch`: a random half in the first, then the halves alternate.

    Two epochs show each image both ways (Jordan, arXiv 2404.00498, section 3.6).
    """
    halves = torch.rand(count, generator=seeds.generator(seed, *b"flip")) < 0.5
    return halves ^ bool(epoch % 2)


def shrunk(images: UInt8[Tensor, "b h w 3"], size_px: int) -> Float[Tensor, "b s s 3"]:
    """Images resized to squares of `size_px` (bilinear, antialiased), still on the 0..255 scale."""
    planes = images.permute(0, 3, 1, 2).float()
    small = F.interpolate(planes, size=(size_px, size_px), mode="bilinear", antialias=True)
    return small.permute(0, 2, 3, 1)


def augmented(
    images: UInt8[Tensor, "n h w 3"],
    rows: Int64[Tensor, " b"],
    recipe: Recipe,
    epoch: int,
    generator: torch.Generator,
    part: slice = slice(None),
) -> UInt8[Tensor, "p h w 3"]:
    """Images at `rows`, or `part` of them, as the recipe shows them in `epoch`, counted from 0."""
    flip = None
    if recipe.flip == "alternating":
        flip = alternating(len(images), epoch, recipe.seed)[rows]
    shown = crop_and_flip(images, rows, flip, recipe.padding_px, generator, part)
    if recipe.warp:
        shown = warped(shown, recipe.warp, len(rows), generator, part)
    if recipe.blur_px:
        shown = blurred(shown, recipe.blur_px, len(rows), generator, part)
    if recipe.reencode:
        shown = reencoded(shown, recipe.reencode, len(rows), generator, part)
    if recipe.noise_sd:
        shown = noisy(shown, recipe.noise_sd, len(rows), generator, part)
    if recipe.cutout_px == 0:
        return shown
    return cut_out(shown, recipe.cutout_px, len(rows), generator, part)
