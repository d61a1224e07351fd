"""Random batches for the loss tests."""

import torch
from torch import Tensor


def random_batch(
    size: int, classes: int, dimension: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Embeddings [b, d] of various lengths, and labels [b]."""
    generator = torch.Generator().manual_seed(1000 + seed)  # not the weights
    directions = torch.randn(size, dimension, generator=generator, dtype=torch.float64)
    lengths = 0.1 + 10 * torch.rand(size, 1, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (size,), generator=generator)
    return (directions * lengths).to(dtype), labels
