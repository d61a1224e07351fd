"""Noise of cameras and networks: blur, noise, noise in color alone, JPEG stored anew."""

import numpy as np
import simplejpeg
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in JPEG
QUALITIES = (30, 95)
_COLORS = ("444", "420")


def noisy(
    images: UInt8[Tensor, "p h w 3"],
    largest_sd: float,
    count: int,
    generator: torch.Generator,
    part: slice = slice(None),
) -> UInt8[Tensor, "p h w 3"]:
    """`images`, each with Gaussian noise of a standard deviation drawn evenly from 0..`largest_sd`.

    In half of them, drawn at random, the noise leaves brightness (luma) as it is. They are `part`
    of a batch of `count`.
    """
    sds = largest_sd * torch.rand(count, generator=generator)[part]
    in_color = torch.rand(count, generator=generator)[part] < 0.5
    whole = torch.randn((count, *images.shape[1:]), generator=generator)[part]
    luma = (whole * torch.tensor(LUMA)).sum(dim=-1, keepdim=True)
    noise = sds.view(-1, 1, 1, 1) * (whole - luma * in_color.view(-1, 1, 1, 1))
    changed = images.float() + noise.to(images.device)
    return changed.round().clamp(0, 255).to(torch.uint8)


def blurred(
    images: UInt8[Tensor, "p h w 3"],
    largest_px: float,
    count: int,
    generator: torch.Generator,
    part: slice = slice(None),
) -> UInt8[Tensor, "p h w 3"]:
    """`images`, of which half, drawn at random, have a Gaussian blur.

    Each of a standard deviation drawn evenly from 0..`largest_px`; the others stay as they are to
    the byte. They are `part` of a batch of `count`.
    """
    sds = largest_px * torch.rand(count, generator=generator)[part]
    chosen = torch.rand(count, generator=generator)[part] < 0.5
    if not chosen.any():
        return images
    kernels = _gaussians(sds[chosen], reach=_reach(largest_px, images.shape)).to(images.device)
    planes = images[chosen].permute(0, 3, 1, 2).float()
    result = images.clone()
    result[chosen] = _convolved(planes, kernels).round().to(torch.uint8).permute(0, 2, 3, 1)
    return result


def _reach(largest_px: float, shape: torch.Size) -> int:
    return min(max(1, round(3 * largest_px)), shape[1] - 1, shape[2] - 1)


def _gaussians(sds: Float[Tensor, " p"], reach: int) -> Float[Tensor, "p k"]:
    places = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (places / sds.clamp(min=1e-3).unsqueeze(1)) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


def _convolved(
    planes: Float[Tensor, "p 3 h w"], kernels: Float[Tensor, "p k"]
) -> Float[Tensor, "p 3 h w"]:
    """Each image with its own kernel, down and across; reflected beyond the border."""
    count, channels, height, width = planes.shape
    reach = kernels.shape[1] // 2
    filters = kernels.repeat_interleave(channels, dim=0)
    joined = planes.reshape(1, count * channels, height, width)
    for shape, padding in (((-1, 1), (0, 0, reach, reach)), ((1, -1), (reach, reach, 0, 0))):
        weights = filters.view(count * channels, 1, *shape)
        joined = F.conv2d(F.pad(joined, padding, "reflect"), weights, groups=count * channels)
    return joined.view(count, channels, height, width)


def reencoded(
    images: UInt8[Tensor, "p h w 3"],
    share: float,
    count: int,
    generator: torch.Generator,
    part: slice = slice(None),
) -> UInt8[Tensor, "p h w 3"]:
    """`images`, of which `share` are stored as JPEG and read again.

    Each at a quality drawn evenly from 30..95, and at full or half the color resolution; the others
    stay as they are to the byte. They are `part` of a batch of `count`.
    """
    chosen = torch.rand(count, generator=generator)[part] < share
    least, most = QUALITIES
    qualities = torch.randint(least, most + 1, (count,), generator=generator)[part]
    colors = torch.randint(len(_COLORS), (count,), generator=generator)[part]
    result = images.clone()
    for row in chosen.nonzero().flatten().tolist():
        anew = _stored(images[row].cpu().numpy(), int(qualities[row]), _COLORS[int(colors[row])])
        result[row] = torch.from_numpy(anew).to(images.device)
    return result


def _stored(image: UInt8[np.ndarray, "h w 3"], quality: int, colors: str) -> np.ndarray:
    content = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=quality, colorsubsampling=colors
    )
    anew: np.ndarray = simplejpeg.decode_jpeg(content)
    return anew
