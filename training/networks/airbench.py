"""The strong small trunk: three blocks of convolutions behind a frozen whitening layer."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from training.errors import InvalidRecipe

WIDTHS = (64, 256, 256)
DEPTHS = (2, 3)
SMALLEST_PX = 16
_WHITENED = 24  # 2 x 2 x 3 directions and their opposites
_NEW_STATISTICS = 0.4


class Airbench(nn.Module):
    """A frozen 2x2 whitening, three blocks, global max-pool, a linear map to the embedding.

    A block is conv 3x3, max-pool, batch norm, GELU, conv 3x3, batch norm, GELU; batch norms shift
    and do not scale. At a `depth` of 3 another conv 3x3 and batch norm follow, and what the first
    GELU gave is added before a last one. Takes normalized float images [b, 3, h, w] of 16 pixels
    and more and gives embeddings [b, d] of any length. 2.0 M parameters at widths 64, 256, 256.
    Source: airbench94 and, at a depth of 3, airbench96 (Jordan, 94 % on CIFAR-10 in 3.29 seconds,
    arXiv 2404.00498, sections 3 and 4, and its repository), and ResNet-9 (Page, How to train your
    ResNet); the first half of each convolution's filters starts as the identity (section 3.2).
    """

    def __init__(
        self, dimension: int, size_px: int, widths: tuple[int, ...] = WIDTHS, depth: int = 2
    ) -> None:
        super().__init__()
        if len(widths) != len(WIDTHS):
            raise InvalidRecipe(f"airbench has {len(WIDTHS)} blocks; widths are {widths}")
        if depth not in DEPTHS:
            raise InvalidRecipe(f"airbench has 2 or 3 convolutions in a block; depth is {depth}")
        if size_px < SMALLEST_PX:
            raise InvalidRecipe(f"airbench needs {SMALLEST_PX} pixels or more, not {size_px}")
        self.whiten = nn.Conv2d(3, _WHITENED, kernel_size=2)
        self.whiten.weight.requires_grad_(False)
        nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]  # it has one
        self.blocks = nn.Sequential(
            nn.GELU(),
            *(_block(i, o, depth) for i, o in zip((_WHITENED, *widths), widths, strict=False)),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
        )
        self.project = nn.Linear(widths[-1], dimension, bias=False)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Embed a batch."""
        embeddings: Tensor = self.project(self.blocks(self.whiten(images)))
        return embeddings

    @torch.no_grad()
    def fit_whitening(self, images: Float[Tensor, "n 3 h w"], floor: float) -> None:
        """Set the first layer to the directions in which 2x2 patches of `images` vary.

        Each is scaled by its variance plus `floor`, to about unit variance, and stands with both
        signs. Noise of variance `floor` is then never louder than the images themselves.
        """
        patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5)
        patches = patches.reshape(-1, _WHITENED // 2).double()
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = vectors.T / (values.unsqueeze(1) + floor).sqrt()
        self.whiten.weight.copy_(torch.cat([filters, -filters]).view_as(self.whiten.weight))


def shape_of(state: Mapping[str, Tensor]) -> dict[str, object]:
    """Read `widths` and `depth` of the Airbench from its state."""
    blocks = [f"blocks.{number}." for number in range(1, len(WIDTHS) + 1)]
    filters = [name for name, tensor in state.items() if tensor.ndim == 4]
    return {
        "widths": tuple(len(state[f"{block}0.weight"]) for block in blocks),
        "depth": sum(name.startswith(blocks[0]) for name in filters),
    }


class _Residual(nn.Module):
    """Layers whose output is added to their input."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        added: Tensor = features + self.layers(features)
        return added


def _block(channels_in: int, channels: int, depth: int) -> nn.Sequential:
    first = [_convolution(channels_in, channels), nn.MaxPool2d(2), _normalization(channels)]
    second = [_convolution(channels, channels), _normalization(channels)]
    if depth == 2:
        return nn.Sequential(*first, nn.GELU(), *second, nn.GELU())
    third = [_convolution(channels, channels), _normalization(channels)]
    around = _Residual(nn.Sequential(*second, nn.GELU(), *third))
    return nn.Sequential(*first, nn.GELU(), around, nn.GELU())


def _convolution(channels_in: int, channels: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(layer.weight[: min(channels_in, channels)])
    return layer


def _normalization(channels: int) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(channels, momentum=_NEW_STATISTICS)
    layer.weight.requires_grad_(False)
    return layer
