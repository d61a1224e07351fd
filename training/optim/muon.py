"""Muon: momentum whose update of each filter bank is made orthogonal."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

MOMENTUM = 0.6
NEWTON_SCHULZ_STEPS = 3
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_SMALLEST_NORM = 1e-7


class Muon(Optimizer):
    """For convolutions that batch normalization follows, whose length does not matter.

    Each step sets a filter bank's norm to sqrt(filters), then moves it by `lr` along the
    orthogonalised Nesterov momentum. PyTorch's own `torch.optim.Muon` takes matrices only and
    keeps no norm.
    Source: Jordan et al., Muon (kellerjordan.github.io/posts/muon), in the form that trains
    airbench94 (Jordan, arXiv 2404.00498, and its repository).
    """

    def __init__(self, filters: Iterable[Tensor], lr: float) -> None:
        super().__init__(filters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every filter bank that has a gradient. A closure is not supported."""
        if closure is not None:
            raise NotImplementedError("Muon takes no closure")
        for group in self.param_groups:
            for filters in group["params"]:
                if filters.grad is not None:
                    self._move(filters, filters.grad, self.state[filters], group["lr"])

    def _move(self, filters: Tensor, gradient: Tensor, state: dict[str, Any], rate: float) -> None:
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum = state["momentum"].mul_(MOMENTUM).add_(gradient)
        wanted = gradient.add(momentum, alpha=MOMENTUM)
        update = orthogonalized(wanted.reshape(len(wanted), -1)).view_as(filters)
        filters.mul_(len(filters) ** 0.5 / filters.norm().clamp(min=_SMALLEST_NORM))
        filters.sub_(update, alpha=rate)


def orthogonalized(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """`matrix` with its singular values brought near 1 (0.5 to 1.5), by Newton and Schulz."""
    a, b, c = _COEFFICIENTS
    tall = len(matrix) > matrix.shape[1]
    rows: Tensor = matrix.T if tall else matrix
    rows = rows / (rows.norm() + _SMALLEST_NORM)
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = rows @ rows.T
        rows = a * rows + (b * square + c * square @ square) @ rows
    return rows.T if tall else rows
