"""Class weights in a loss, so that rare classes are learned as well as frequent ones."""

from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor

from training.losses.base import Loss

Balance = Literal["none", "weights"]


def weigh(loss: Loss, labels: Int64[Tensor, " n"], balance: Balance) -> None:
    """Weigh the loss's classes for training images with these labels, where `balance` says so.

    A loss that samples balanced batches sees every class equally often, and gets no weights.
    Nor does one whose classes are of one size: its results are those without weights, to the bit.
    """
    if balance == "weights" and loss.sampling != "balanced":
        loss.weigh_classes(importance(labels, loss.classes))


def importance(labels: Int64[Tensor, " n"], classes: int) -> Float[Tensor, " c"] | None:
    """The weight n / (C * n_j) of class j.

    Every class then weighs n / C in all, and an image 1 on average. None where the classes are of
    one size. A class without images weighs as one with one image.
    """
    counts = labels.bincount(minlength=classes)
    if counts.min() == counts.max():
        return None
    return len(labels) / (classes * counts.clamp(min=1).float())
