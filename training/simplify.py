"""What a trained network becomes before it is calibrated: fewer operations, smaller weights."""

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.config import Recipe
from training.embedder import Embedder


@torch.no_grad()
def simplified(embedder: Embedder, recipe: Recipe) -> Embedder:
    """The same embedder, changed in place: batch norms folded, weights rounded if so asked.

    Everything after this (temperature, evaluation, gallery, export) sees the network that is
    served. Weights of more than one dimension are rounded to the nearest float16 where the
    recipe stores them so; they stay float32, and so does the arithmetic.
    """
    backbone = embedder.eval().backbone
    for module in backbone.modules():
        if type(module) is nn.Sequential:  # other kinds may add to what theirs do
            _fold_batch_norms(module)
    if recipe.stored_as == "float16":
        for weight in backbone.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half().float())
    return embedder


def _fold_batch_norms(layers: nn.Sequential) -> None:
    """Fold each batch norm into the convolution right before it, or before a max-pool before it.

    A max-pool lets a batch norm through where no channel's scale is negative.
    """
    for place, norm in enumerate(layers):
        if type(norm) is not nn.BatchNorm2d:  # timm's also activate
            continue
        before = list(layers[:place])
        if before and isinstance(before[-1], nn.MaxPool2d) and not (norm.weight < 0).any():
            before.pop()
        if before and isinstance(before[-1], nn.Conv2d):
            fused = fuse_conv_bn_eval(before[-1], norm)
            before[-1].weight, before[-1].bias = fused.weight, fused.bias
            layers[place] = nn.Identity()
