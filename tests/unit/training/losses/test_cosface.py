"""CosFace's own: the margin comes off the true class's cosine, and off nothing else."""

import torch
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from training.losses.cosface import CosFaceLoss


def test_the_margin_comes_off_the_true_class_before_scaling() -> None:
    loss = CosFaceLoss(5, 8, scale=20.0, margin=0.25).double()
    embeddings, labels = random_batch(12, 5, 8)
    logits = loss.logits(embeddings)
    for row, label in enumerate(labels.tolist()):
        logits[row, label] -= 20 * 0.25
    torch.testing.assert_close(loss(embeddings, labels), F.cross_entropy(logits, labels))


def test_a_perfect_head_still_loses_where_the_scale_is_small() -> None:
    """At every cosine's best the loss is log(1 + (C - 1) exp(-s (C / (C - 1) - m)))."""
    classes, scale, margin = 4, 8.0, 0.2
    loss = CosFaceLoss(classes, classes, scale=scale, margin=margin).double()
    simplex = torch.eye(classes, dtype=torch.float64) - 1 / classes
    with torch.no_grad():
        loss.weight.copy_(simplex)
    gap = torch.tensor(classes / (classes - 1) - margin, dtype=torch.float64)
    floor = torch.log1p((classes - 1) * torch.exp(-scale * gap))
    value = loss(simplex, torch.arange(classes))
    torch.testing.assert_close(value, floor, rtol=1e-6, atol=1e-8)
