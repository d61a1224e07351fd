"""The module that training fits: a backbone and the loss that knows how to classify."""

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from training.losses import make_loss
from training.losses.base import Loss
from training.networks.build import make_backbone
from training.networks.pretrained import Pretrained
from training.recipes.recipe import Recipe

_BATCH = 1000


class Embedder(nn.Module):
    """A backbone and its loss, as one module with one state.

    The backbone draws its weights first, so that those of one seed are equal for every loss.
    """

    def __init__(
        self,
        recipe: Recipe,
        classes: int,
        train_images: Real[Tensor, "n ..."],
        pretrained: Pretrained,
    ) -> None:
        super().__init__()
        backbone = make_backbone(recipe, train_images, pretrained)
        self.loss: Loss = make_loss(recipe.loss, classes, recipe.embedding_size, recipe.parameters)
        self.backbone = backbone

    @torch.no_grad()
    def embed(self, images: Real[Tensor, "n ..."]) -> Float[Tensor, "n d"]:
        """Embeddings of any number of images or features, in float32 unless autocast is on."""
        chunks = torch.split(images, _BATCH)
        return torch.cat([self.backbone(chunk).float() for chunk in chunks])
