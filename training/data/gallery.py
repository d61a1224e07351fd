"""The training images that ship with a model, to be its nearest neighbors."""

import torch
from jaxtyping import Int64
from torch import Tensor

GALLERY_PER_CLASS = 500


def gallery_rows(labels: Int64[Tensor, " n"], classes: int) -> Int64[Tensor, " m"]:
    """The same up to `GALLERY_PER_CLASS` rows of each class, whatever the loss."""
    generator = torch.Generator().manual_seed(0)
    chosen = []
    for label in range(classes):
        rows = (labels == label).nonzero().flatten()
        order = torch.randperm(len(rows), generator=generator)
        chosen.append(rows[order[:GALLERY_PER_CLASS]].sort().values)
    return torch.cat(chosen)
