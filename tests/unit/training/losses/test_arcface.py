"""ArcFace's own: the angle, what happens past pi, the ramp."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from training.losses.arcface import ArcFaceLoss


def on_the_plane(theta: float) -> Tensor:
    """An embedding at `theta` from the first class, at a right angle to the other two."""
    return torch.tensor([[math.cos(theta), math.sin(theta), 0.0]], dtype=torch.float64)


def true_score(theta: float, margin: float) -> float:
    """s * f(theta), recovered from the loss: the other two classes score 0."""
    loss = ArcFaceLoss(3, 3, margin=margin).double()
    with torch.no_grad():
        loss.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 0, -1]]))
    entropy = loss(on_the_plane(theta), torch.tensor([0])).item()
    return math.log(2) - math.log(math.expm1(entropy))


@pytest.mark.parametrize("theta", [0.2, 1.0, math.pi / 2, 2.6])
def test_the_true_class_scores_the_widened_angle(theta: float) -> None:
    assert true_score(theta, 0.5) == pytest.approx(16 * math.cos(theta + 0.5), rel=1e-5)


def test_at_angle_0_the_sine_has_its_floor_of_a_thousandth() -> None:
    """sqrt(max(1 - cos^2, 1e-6)): bounds the derivative by the cosine, which acos does not."""
    expected = 16 * (math.cos(0.5) - 1e-3 * math.sin(0.5))
    assert true_score(0.0, 0.5) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("theta", [2.7, 3.0, 3.14])
def test_past_pi_the_score_goes_on_falling(theta: float) -> None:
    expected = 16 * (math.cos(theta) - 0.5 * math.sin(0.5))
    assert true_score(theta, 0.5) == pytest.approx(expected, rel=1e-5)
    assert expected < -16  # below all that a cosine can reach


def test_the_margin_ramps_from_0_over_the_first_fifth() -> None:
    loss = ArcFaceLoss(10, 16, margin=0.4)
    shares = {0.0: 0.0, 0.05: 0.1, 0.1: 0.2, 0.2: 0.4, 0.5: 0.4, 1.0: 0.4}
    for progress, margin in shares.items():
        loss.ramp(progress)
        assert loss.margin.item() == pytest.approx(margin)


def test_at_the_start_the_loss_has_no_margin() -> None:
    loss = ArcFaceLoss(10, 16).double()
    embeddings, labels = random_batch(16, 10, 16)
    full = loss(embeddings, labels)
    loss.ramp(0.0)
    plain = F.cross_entropy(loss.logits(embeddings), labels)
    torch.testing.assert_close(loss(embeddings, labels), plain)
    assert plain < full


def test_the_margin_is_full_where_nobody_ramps() -> None:
    assert ArcFaceLoss(10, 16, margin=0.4).margin.item() == pytest.approx(0.4)


def test_where_the_ramp_stands_is_part_of_the_state() -> None:
    ramping, restored = ArcFaceLoss(10, 16), ArcFaceLoss(10, 16)
    ramping.ramp(0.1)
    restored.load_state_dict(ramping.state_dict())
    assert restored.margin.item() == pytest.approx(0.15)
    restored.ramp(1.0)
    assert restored.margin.item() == pytest.approx(0.3)
