"""Batch norms' statistics, taken anew from plain training images."""

import math

import torch
from jaxtyping import Real
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_BATCH = 500


@torch.no_grad()
def recompute_batchnorm_statistics(backbone: nn.Module, images: Real[Tensor, "n ..."]) -> None:
    """Give every batch norm the mean, over batches of `images`, of their means and variances.

    The running ones follow the last few batches of training, and those were augmented. Nothing
    else of `backbone` changes, and what drops out in training does not here.
    Source: Wu and Johnson, Rethinking "Batch" in BatchNorm (arXiv 2105.07576, section 3), but that
    what the batches' means vary by is not added to the variance.
    """
    norms = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    modes = {module: module.training for module in backbone.modules()}
    momenta = [norm.momentum for norm in norms]
    backbone.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
        norm.training = True
    for batch in torch.tensor_split(images, math.ceil(len(images) / _BATCH)):
        backbone(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for module, mode in modes.items():
        module.training = mode
