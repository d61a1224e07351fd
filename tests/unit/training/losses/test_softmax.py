"""Softmax's own: plain cross-entropy, smoothed only where that is asked for."""

import pytest
import torch
from torch import Tensor

from tests.unit.training.losses.batches import random_batch
from training.errors import InvalidRecipe
from training.losses.softmax import SoftmaxLoss


def test_labels_are_not_smoothed_unasked() -> None:
    """A certain and right answer costs nothing; smoothing would make it cost."""
    loss = SoftmaxLoss(3, 3)
    with torch.no_grad():
        loss.linear.weight.copy_(100 * torch.eye(3))
    assert loss(torch.eye(3), torch.arange(3)).item() == 0


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])])
def test_smoothed_labels_share_out_a_part_of_the_probability(weights: Tensor | None) -> None:
    """Against the sum written out: a target of 0.8 + 0.2 / c at the label, 0.2 / c elsewhere."""
    loss = SoftmaxLoss(5, 8, smoothing=0.2)
    loss.weigh_classes(weights)
    loss = loss.double()
    embeddings, labels = random_batch(12, 5, 8)
    logs = loss.logits(embeddings).log_softmax(1)
    target = torch.full_like(logs, 0.04)
    target[torch.arange(12), labels] += 0.8
    importance = torch.ones(5).double() if weights is None else weights.double()
    expected = -(importance * target * logs).sum() / importance[labels].sum()
    torch.testing.assert_close(loss(embeddings, labels), expected, check_dtype=False)


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, float("nan")])
def test_a_smoothing_outside_its_range_is_refused(smoothing: float) -> None:
    with pytest.raises(InvalidRecipe, match="smoothing"):
        SoftmaxLoss(5, 8, smoothing=smoothing)


def test_logits_are_the_native_ones() -> None:
    loss = SoftmaxLoss(5, 8).double()
    embeddings, _ = random_batch(4, 5, 8)
    expected = embeddings @ loss.linear.weight.T + loss.linear.bias
    torch.testing.assert_close(loss.logits(embeddings), expected)


def test_it_takes_no_scale() -> None:
    with pytest.raises(TypeError):
        SoftmaxLoss(5, 8, scale=16.0)  # type: ignore[call-arg]
