"""Softmax's own: plain cross-entropy, nothing smoothed."""

import pytest
import torch

from tests.support.loss_batches import random_batch
from training.losses.softmax import SoftmaxLoss


def test_labels_are_not_smoothed() -> None:
    """A certain and right answer costs nothing; smoothing would make it cost."""
    loss = SoftmaxLoss(3, 3)
    with torch.no_grad():
        loss.linear.weight.copy_(100 * torch.eye(3))
    assert loss(torch.eye(3), torch.arange(3)).item() == 0


def test_logits_are_the_native_ones() -> None:
    loss = SoftmaxLoss(5, 8).double()
    embeddings, _ = random_batch(4, 5, 8)
    expected = embeddings @ loss.linear.weight.T + loss.linear.bias
    torch.testing.assert_close(loss.logits(embeddings), expected)


def test_it_takes_no_parameters() -> None:
    with pytest.raises(TypeError):
        SoftmaxLoss(5, 8, scale=16.0)  # type: ignore[call-arg]
