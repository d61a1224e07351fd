"""Images enlarged inside the graph, for networks whose weights know larger ones."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Enlarge(nn.Module):
    """Planes [b, c, s, s] of `size_px` to [b, c, t, t] of `enlarged_px`, bicubic.

    As two products with one matrix, the same as `interpolate` with half-pixel centers: every
    runtime computes that alike and fast. The matrix is a constant and no part of the state, so
    that the weights of a run fit the same network at another size.
    """

    matrix: Tensor

    def __init__(self, size_px: int, enlarged_px: int) -> None:
        super().__init__()
        self.register_buffer("matrix", _bicubic(size_px, enlarged_px), persistent=False)

    def forward(self, planes: Float[Tensor, "b c s s"]) -> Float[Tensor, "b c t t"]:
        """Enlarge a batch."""
        return self.matrix @ planes @ self.matrix.T


def _bicubic(size_px: int, enlarged_px: int) -> Float[Tensor, "t s"]:
    """Return the weight of each of `size_px` places in each of `enlarged_px`."""
    each_alone = torch.eye(size_px).view(1, 1, size_px, size_px)
    enlarged = F.interpolate(each_alone, size=(enlarged_px, size_px), mode="bicubic")
    return enlarged[0, 0].contiguous()
