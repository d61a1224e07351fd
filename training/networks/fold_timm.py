"""Batch norms of timm's EfficientNets folded into the convolutions before them."""

from itertools import pairwise

import torch
from timm.layers.norm_act import BatchNormAct2d
from timm.models.efficientnet import EfficientNet
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@torch.no_grad()
def fold_timm(network: nn.Module) -> None:
    """Make each batch norm of an EfficientNet part of its convolution; answers in eval mode stay.

    In these networks a batch norm with an activation follows each convolution as its parent's next
    child, and the activation alone remains of it. Other networks of timm are left as they are:
    what stands next to each other there need not follow each other.
    """
    for part in network.modules():
        if isinstance(part, EfficientNet):
            for parent in list(part.modules()):
                _fold_children(parent)


def _fold_children(parent: nn.Module) -> None:
    children = list(parent.named_children())
    for (_, convolution), (name, norm) in pairwise(children):
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, BatchNormAct2d):
            fused = fuse_conv_bn_eval(convolution, norm)
            convolution.weight, convolution.bias = fused.weight, fused.bias
            setattr(parent, name, norm.act)
