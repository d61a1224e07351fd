"""The direction of a vector, whose gradient stays bounded where the vector has next to none."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

SHORTEST = 1e-2
"""Of a vector whose gradient is exact. Measured: `docs/losses.md`, "Embeddings without length"."""


def direction(vectors: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
    """Scale vectors to unit length, as `F.normalize` over the last dimension does, to the bit.

    The gradient is (g - u (u.g)) / max(|x|, 1e-2). So it is exact from a length of 1e-2 on, and
    below that points the same way and is shorter: at length 0 `F.normalize` multiplies by 1e12.

    >>> vector = torch.zeros(2, requires_grad=True)
    >>> direction(vector).sum().backward()
    >>> vector.grad
    tensor([100., 100.])
    """
    found: Tensor = _Direction.apply(vectors)
    return found


class _Direction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, vectors: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        unit = F.normalize(vectors, dim=-1)
        ctx.save_for_backward(vectors, unit)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
        vectors, unit = ctx.saved_tensors
        length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        across = gradient - unit * (unit * gradient).sum(dim=-1, keepdim=True)
        bounded: Tensor = across / length.clamp(min=SHORTEST)
        return bounded
