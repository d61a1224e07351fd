"""Folding of batch norm before calibration: fewer operations, smaller weights."""

import torch

from training.networks.embedder import Embedder
from training.networks.folding import fold
from training.networks.timm_model import PREFIX
from training.recipes.recipe import Recipe


@torch.no_grad()
def folded_batchnorm(embedder: Embedder, recipe: Recipe) -> Embedder:
    """The same embedder, changed in place: batch norms folded, weights rounded if so asked.

    Everything after this (temperature, evaluation, gallery, export) sees the network that is
    served. Weights of more than one dimension are rounded to the nearest float16 where the
    recipe stores them so; they stay float32, and so does the arithmetic.
    """
    backbone = embedder.eval().backbone
    fold(backbone)
    if recipe.backbone.startswith(PREFIX):
        from training.networks.fold_timm import (
            fold_timm,
        )  # timm: two seconds, only where it is used

        fold_timm(backbone)
    if recipe.stored_as == "float16":
        for weight in backbone.parameters():
            if weight.ndim > 1:
                weight.copy_(weight.half().float())
    return embedder
