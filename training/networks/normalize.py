"""Scaling and normalization as a layer, so that they travel inside the exported graph."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn
from torch.nn import functional as F

from training.networks.enlarge import Enlarge

SMOOTHING = "smoothing"
"""The buffer of a `Normalize` that smooths chroma; others have none of that name."""
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in JPEG
_BINOMIAL = (0.25, 0.5, 0.25)


class Normalize(nn.Module):
    """uint8 [b, h, w, 3] to float32 [b, 3, h, w] with zero mean and unit variance a channel.

    `mean` and `std` are those of the training images, on the 0..255 scale; resized
    images may be floats on that scale. With `smooth_chroma`, color is first averaged over 3x3
    pixels, and brightness stays as sharp as it is: see `chroma_kernel`. `enlarge`, if given, comes
    last.
    """

    mean: Tensor
    std: Tensor
    smoothing: Tensor | None

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        smooth_chroma: bool = False,
        enlarge: Enlarge | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.register_buffer(SMOOTHING, chroma_kernel() if smooth_chroma else None)
        self.enlarge = enlarge

    def forward(self, images: Real[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 y x"]:
        """Normalize a batch, and enlarge it where that was asked for."""
        planes = images.permute(0, 3, 1, 2).float()
        if self.smoothing is not None:
            planes = F.conv2d(F.pad(planes, (1, 1, 1, 1), mode="replicate"), self.smoothing)
        normal = (planes - self.mean) / self.std
        return normal if self.enlarge is None else self.enlarge(normal)


def chroma_kernel() -> Float[Tensor, "3 3 3 3"]:
    """The 3x3 convolution of RGB that averages color by weights of 1, 2, 1 and keeps brightness.

    A pixel is its luma, the same in each channel, and the rest, which is chroma. JPEG's 4:2:0
    stores chroma at half the resolution, so a network that saw such files alone has never seen
    what chroma holds beyond that, and may answer to the faintest noise there.
    """
    across = torch.tensor(_BINOMIAL)
    average = across.view(3, 1) * across.view(1, 3)
    sharp = torch.zeros(3, 3)
    sharp[1, 1] = 1.0
    luma = torch.tensor(_LUMA).expand(3, 3)
    chroma = torch.eye(3) - luma
    kernel: Tensor = luma[..., None, None] * sharp + chroma[..., None, None] * average
    return kernel
