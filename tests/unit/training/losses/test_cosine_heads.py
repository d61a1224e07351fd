"""The shared parts of CosFace and ArcFace: precision, their ends, their parameters, logits."""

import pytest
import torch
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from training.losses import LOSSES, make_loss
from training.losses.cosine import CosineLoss

HEADS = [name for name, kind in LOSSES.items() if issubclass(kind, CosineLoss)]

pytestmark = pytest.mark.parametrize("name", HEADS)


def head(name: str, classes: int = 10, dimension: int = 16) -> CosineLoss:
    torch.manual_seed(0)
    loss = make_loss(name, classes, dimension)
    assert isinstance(loss, CosineLoss)
    return loss


def test_computes_in_float32_with_autocast_on(name: str) -> None:
    loss = head(name)
    embeddings, labels = random_batch(32, 10, 16, dtype=torch.bfloat16)
    expected, expected_logits = loss(embeddings.float(), labels), loss.logits(embeddings.float())
    with torch.autocast("cpu", torch.bfloat16):
        value, logits = loss(embeddings, labels), loss.logits(embeddings)
    assert value.dtype == logits.dtype == torch.float32
    assert torch.equal(value, expected)
    assert torch.equal(logits, expected_logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("factor", [1.0, -1.0, 1e3, -1e-3])
def test_gradient_is_finite_at_cosine_1_and_minus_1(
    name: str, factor: float, dtype: torch.dtype
) -> None:
    loss = head(name).to(dtype)
    with torch.no_grad():
        loss.weight[:5] = torch.eye(16)[:5]  # cosines of exactly 1; others end within rounding
    embeddings = (factor * loss.weight.detach()).requires_grad_()
    value = loss(embeddings, torch.arange(10))
    value.backward()
    assert value.isfinite()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()
    assert loss.weight.grad is not None
    assert loss.weight.grad.isfinite().all()


def test_the_weight_is_never_written(name: str) -> None:
    loss = head(name)
    weight, before = loss.weight, loss.weight.detach().clone()
    storage, version = weight.data_ptr(), weight._version
    for dtype in (torch.float32, torch.bfloat16):
        embeddings, labels = random_batch(8, 10, 16, dtype=dtype)
        loss.train()(embeddings, labels).backward()
        loss.eval().logits(embeddings)
        loss.ramp(0.1)
    assert loss.weight is weight
    assert (weight.data_ptr(), weight._version, weight.dtype) == (storage, version, torch.float32)
    assert torch.equal(weight, before)


def test_the_weight_learns_and_scale_and_margin_do_not(name: str) -> None:
    loss = head(name)
    assert [key for key, _ in loss.named_parameters()] == ["weight"]
    assert {"scale", "margin"} <= dict(loss.named_buffers()).keys()
    assert {"weight", "scale", "margin"} <= loss.state_dict().keys()


def test_lengths_of_embeddings_and_weights_do_not_matter(name: str) -> None:
    loss = head(name).double()
    embeddings, labels = random_batch(16, 10, 16)
    value = loss(embeddings, labels)
    with torch.no_grad():
        loss.weight.mul_(torch.linspace(0.1, 5, 10, dtype=torch.float64).unsqueeze(1))
    torch.testing.assert_close(loss(3 * embeddings, labels), value)


def test_logits_have_the_scale_and_no_margin(name: str) -> None:
    loss = head(name).double()
    embeddings, labels = random_batch(16, 10, 16)
    cosines = F.cosine_similarity(embeddings.unsqueeze(1), loss.weight.unsqueeze(0), dim=2)
    torch.testing.assert_close(loss.logits(embeddings), 16 * cosines)
    assert F.cross_entropy(loss.logits(embeddings), labels) < loss(embeddings, labels)


def test_without_margin_it_is_cross_entropy_of_the_logits(name: str) -> None:
    torch.manual_seed(0)
    loss = make_loss(name, 10, 16, {"margin": 0.0}).double()
    embeddings, labels = random_batch(16, 10, 16)
    expected = F.cross_entropy(loss.logits(embeddings), labels)
    torch.testing.assert_close(loss(embeddings, labels), expected)


def test_the_loss_grows_with_the_angle_all_the_way_to_pi(name: str) -> None:
    """Other classes stay at a right angle, so that the loss follows the true class alone."""
    loss = make_loss(name, 3, 3, {"margin": 0.5}).double()
    with torch.no_grad():
        loss.get_parameter("weight").copy_(torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 0, -1]]))
    thetas = torch.linspace(0, torch.pi, 2001, dtype=torch.float64)
    embeddings = torch.stack([thetas.cos(), thetas.sin(), torch.zeros_like(thetas)], dim=1)
    values = torch.stack([loss(row.unsqueeze(0), torch.tensor([0])) for row in embeddings])
    assert (values.diff() > 0).all()
