"""Sub-center ArcFace: several weight vectors for each class, of which the nearest counts."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from training.errors import InvalidRecipe
from training.losses.arcface import ArcFaceLoss
from training.losses.direction import direction


class SubCenterArcFaceLoss(ArcFaceLoss):
    """ArcFace with cos_j = max over k of cos(x, W_jk).

    Images with wrong labels, or of rare kinds, can gather at a sub-center of their own and leave
    the others clean. Source: Deng et al., Sub-center ArcFace, ECCV 2020, section 3.3.
    Raises InvalidRecipe for a number of sub-centers that is not whole, or not in 1 to 16.
    """

    most_centers: ClassVar[int] = 16

    def __init__(
        self,
        classes: int,
        dimension: int,
        *,
        scale: float = 16.0,
        margin: float = 0.3,
        centers: float = 3.0,
    ) -> None:
        super().__init__(classes, dimension, scale=scale, margin=margin)
        if centers not in range(1, self.most_centers + 1):
            raise InvalidRecipe(
                f"centers must be a whole number from 1 to {self.most_centers} (got {centers:g})"
            )
        each = torch.empty(int(centers), classes, dimension)
        self.weight = nn.Parameter(torch.stack([nn.init.xavier_normal_(one) for one in each]))

    def class_weights(self) -> Tensor | None:
        """None: a class has several directions."""
        return None

    def cosines(self, embeddings: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """The cosine to the nearest sub-center of each class."""
        directions = direction(self.weight)
        each: Tensor = torch.einsum("bd,kcd->kbc", direction(embeddings), directions)
        return each.amax(dim=0)
