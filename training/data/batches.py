"""The images of each batch: a pure function of the seed and the epoch, so runs resume."""

import torch
from jaxtyping import Int64
from torch import Tensor

from training.losses.base import Sampling


def epoch_batches(
    labels: Int64[Tensor, " n"], sampling: Sampling, batch_size: int, generator: torch.Generator
) -> list[Int64[Tensor, " b"]]:
    """The row numbers of every batch of one epoch; a last incomplete batch is left out."""
    if sampling == "balanced":
        return _balanced(labels, batch_size, generator)
    size = min(batch_size, len(labels))
    order = torch.randperm(len(labels), generator=generator)
    return list(torch.split(order[: len(order) // size * size], size))


def _balanced(
    labels: Int64[Tensor, " n"], batch_size: int, generator: torch.Generator
) -> list[Int64[Tensor, " b"]]:
    """P x K batches over all classes: P = c, K = batch_size / c, at least 2 images a class.

    Each class is shuffled and dealt out; one that runs short is reshuffled and dealt again.
    """
    classes = int(labels.max()) + 1
    per_class = max(2, batch_size // classes)
    count = max(1, len(labels) // (per_class * classes))
    dealt = [
        _deal((labels == label).nonzero().flatten(), count * per_class, generator)
        for label in range(classes)
    ]
    table = torch.stack(dealt).view(classes, count, per_class)
    return [table[:, step].flatten() for step in range(count)]


def _deal(rows: Int64[Tensor, " m"], count: int, generator: torch.Generator) -> Int64[Tensor, " k"]:
    rounds = -(-count // len(rows))
    shuffles = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)]
    return torch.cat(shuffles)[:count]
