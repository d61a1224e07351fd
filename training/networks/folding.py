"""Batch norms folded into the convolutions before them, and put back where they were folded."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_BATCH = 250


class Foldable(NamedTuple):
    """A batch norm, at `place` in `layers`, and the convolution that can take it in."""

    layers: nn.Sequential
    place: int
    convolution: nn.Conv2d
    norm: nn.BatchNorm2d


def foldable(backbone: nn.Module) -> Iterator[Foldable]:
    """Batch norms right behind a convolution, or behind a max-pool that is.

    A max-pool lets a batch norm through where no channel's scale is negative.
    """
    for layers in list(backbone.modules()):
        if type(layers) is not nn.Sequential:  # other kinds may add to what theirs do
            continue
        for place, norm in enumerate(layers):
            if type(norm) is not nn.BatchNorm2d:  # timm's also activate
                continue
            before = list(layers[:place])
            if before and isinstance(before[-1], nn.MaxPool2d) and not (norm.weight < 0).any():
                before.pop()
            if before and isinstance(before[-1], nn.Conv2d):
                yield Foldable(layers, place, before[-1], norm)


@torch.no_grad()
def fold(backbone: nn.Module) -> None:
    """Make each batch norm a part of its convolution, in place; answers in eval mode stay."""
    for layers, place, convolution, norm in list(foldable(backbone)):
        fused = fuse_conv_bn_eval(convolution, norm)
        convolution.weight, convolution.bias = fused.weight, fused.bias
        layers[place] = nn.Identity()


@torch.no_grad()
def unfolded(backbone: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state for `backbone` that answers as a folded copy of it answers with `state`.

    A batch norm that was folded passes on what it gets, and adds what its convolution added; that
    it gives whatever comes a mean and a spread again is for `restore_statistics`. Where `state`
    has other names than a folded copy of `backbone`, they stay as they are.
    """
    names = {module: name for name, module in backbone.named_modules()}
    whole = dict(state)
    for _, _, convolution, norm in foldable(backbone):
        added = f"{names[convolution]}.bias"
        if f"{names[norm]}.running_mean" in state or added not in state:
            continue
        bias = whole.pop(added)
        if convolution.bias is not None:
            whole[added] = torch.zeros_like(bias)
        whole |= {
            f"{names[norm]}.bias": bias,
            f"{names[norm]}.weight": torch.ones_like(bias),
            f"{names[norm]}.running_mean": torch.zeros_like(bias),
            f"{names[norm]}.running_var": torch.ones_like(bias) - norm.eps,
        }
    return whole


@torch.no_grad()
def restore_statistics(backbone: nn.Module, images: UInt8[Tensor, "n h w 3"]) -> None:
    """Have batch norms in `backbone` normalize by the statistics of `images` and answer as before.

    Each takes mean and variance of what it gets, in eval mode, from all `images`; its scale and
    shift undo what they do. So training, which normalizes by each batch, starts where eval is.
    """
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    seen = {norm: _Moments() for norm in norms}
    hooks = [norm.register_forward_pre_hook(seen[norm].take) for norm in norms]
    training = backbone.training
    backbone.eval()
    for batch in torch.split(images, _BATCH):
        backbone(batch)
    backbone.train(training)
    for hook in hooks:
        hook.remove()
    for norm, moments in seen.items():
        state = norm.state_dict()
        slope = state["weight"] / (state["running_var"] + norm.eps).sqrt()
        moved = (moments.mean - state["running_mean"]) * slope
        norm.load_state_dict(
            state
            | {
                "bias": state["bias"] + moved,
                "weight": slope * (moments.variance + norm.eps).sqrt(),
                "running_mean": moments.mean,
                "running_var": moments.variance,
            }
        )


class _Moments:
    """Mean and variance of each channel of everything that a layer is given."""

    def __init__(self) -> None:
        self._count = 0
        self._sum = self._squares = torch.zeros(())

    def take(self, _layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        features = given[0].double()
        self._count += features.numel() // features.shape[1]
        self._sum = self._sum + features.sum(dim=(0, 2, 3))
        self._squares = self._squares + features.square().sum(dim=(0, 2, 3))

    @property
    def mean(self) -> Tensor:
        return self._sum / self._count

    @property
    def variance(self) -> Tensor:
        return (self._squares / self._count - self.mean.square()).clamp(min=0)
