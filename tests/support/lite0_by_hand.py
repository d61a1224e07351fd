"""EfficientNet-Lite0 written down from its paper's table, over the package's own tensors.

An independent reference: it knows neither timm's names nor timm's order.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

_EPS = 1e-3
# (kernel, stride, repeats, expands) of each stage: EfficientNet's table 1 (arXiv 1905.11946)
_STAGES = (
    (3, 1, 1, False),
    (3, 2, 2, True),
    (5, 2, 2, True),
    (3, 2, 3, True),
    (5, 1, 3, True),
    (5, 2, 4, True),
    (3, 1, 1, True),
)


@torch.no_grad()
def features(state: Mapping[str, Tensor], planes: Tensor) -> Tensor:
    """Return the input of the classifier, for planes that are normalized already."""
    x = _activated(state, "_bn0", _conv(state["_conv_stem.weight"], planes, stride=2))
    number = 0
    for _, stride, repeats, expands in _STAGES:
        for repeat in range(repeats):
            x = _block(state, f"_blocks.{number}.", x, stride if repeat == 0 else 1, expands)
            number += 1
    x = _activated(state, "_bn1", _conv(state["_conv_head.weight"], x))
    return x.mean(dim=(2, 3))


@torch.no_grad()
def scores(state: Mapping[str, Tensor], planes: Tensor) -> Tensor:
    """The scores of ImageNet's thousand classes."""
    return features(state, planes) @ state["_fc.weight"].T + state["_fc.bias"]


def _block(state: Mapping[str, Tensor], at: str, x: Tensor, stride: int, expands: bool) -> Tensor:
    y = x
    if expands:
        y = _activated(state, f"{at}_bn0", _conv(state[f"{at}_expand_conv.weight"], y))
    depthwise = state[f"{at}_depthwise_conv.weight"]
    y = _activated(state, f"{at}_bn1", _conv(depthwise, y, stride, groups=len(depthwise)))
    y = _normalized(state, f"{at}_bn2", _conv(state[f"{at}_project_conv.weight"], y))
    return x + y if stride == 1 and x.shape == y.shape else y


def _conv(weight: Tensor, x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
    """TensorFlow's padding `SAME`: what is missing, the odd pixel below and to the right."""
    kernel = weight.shape[-1]
    padding: list[int] = []
    for size in (x.shape[3], x.shape[2]):
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        padding += [missing // 2, missing - missing // 2]
    return F.conv2d(F.pad(x, padding), weight, stride=stride, groups=groups)


def _normalized(state: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean, variance, scale, shift = (
        state[f"{name}.{part}"].view(1, -1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + _EPS).sqrt() * scale + shift


def _activated(state: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    return _normalized(state, name, x).clamp(0, 6)
