"""The layers trained on a frozen trunk, and the two together as they are served."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

_LEAST_SPREAD = 1e-3


class FeatureProjection(nn.Module):
    """Features [b, f] to embeddings [b, d]: each feature standardized, then one linear layer.

    Of features with several views, [b, v, f], the first is taken.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int, dimension: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.linear = nn.Linear(features, dimension)

    @classmethod
    def fitted(cls, features: Float[Tensor, "n v f"], dimension: int) -> "FeatureProjection":
        """A projection whose standardization is by these training features.

        Features that hardly vary are divided by a thousandth of the mean deviation, not by 0.
        """
        projection = cls(features.shape[-1], dimension)
        first = features[:, 0]
        std = first.std(dim=0, correction=0)
        projection.mean.copy_(first.mean(dim=0))
        projection.std.copy_(std.clamp(min=max(float(std.mean()) * _LEAST_SPREAD, 1e-6)))
        return projection

    def forward(self, features: Float[Tensor, "b *v f"]) -> Float[Tensor, "b d"]:
        """Embed a batch."""
        first = features if features.ndim == 2 else features[:, 0]
        embeddings: Tensor = self.linear((first - self.mean) / self.std)
        return embeddings


class FrozenBackbone(nn.Module):
    """A trunk that does not learn and the projection of its features: a backbone like any other.

    Takes uint8 images [b, h, w, 3], gives embeddings [b, d].
    """

    def __init__(self, trunk: nn.Module, projection: FeatureProjection) -> None:
        super().__init__()
        self.trunk = trunk.requires_grad_(False)
        self.projection = projection

    def forward(self, images: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b d"]:
        """Embed a batch."""
        embeddings: Tensor = self.projection(self.trunk(images))
        return embeddings
