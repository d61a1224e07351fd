"""The trunk of a backbone: everything before its last linear layer."""

from torch import nn


def last_linear(backbone: nn.Module) -> tuple[str, nn.Linear]:
    """The layer that makes embeddings of features, with which every backbone here ends."""
    name, layer = [
        (name, module) for name, module in backbone.named_modules() if isinstance(module, nn.Linear)
    ][-1]
    return name, layer


def cut(backbone: nn.Module) -> int:
    """Take the last linear layer out, so that the backbone gives features; how many there are."""
    name, layer = last_linear(backbone)
    backbone.set_submodule(name, nn.Identity())
    return layer.in_features
