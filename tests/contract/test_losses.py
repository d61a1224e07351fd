"""Promises of every registered loss to the trainer, the evaluation and the export.

Parametrized over the registry: a new loss is tested here by being registered.
"""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from models.manifest import Metric
from training.losses import ALL_LOSSES, make_loss
from training.losses.base import Loss, Sampling

CLASSES, DIMENSION = 10, 16

pytestmark = pytest.mark.parametrize("name", ALL_LOSSES)


@pytest.fixture
def loss(name: str) -> Loss:
    """The loss with its defaults, in training mode."""
    torch.manual_seed(0)
    return make_loss(name, CLASSES, DIMENSION)


def batch(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Four images of each class."""
    generator = torch.Generator().manual_seed(1)
    embeddings = torch.randn(4 * CLASSES, DIMENSION, generator=generator).to(dtype)
    return embeddings, torch.arange(4 * CLASSES) % CLASSES


def fitted(loss: Loss) -> Loss:
    loss.fit_prototypes(*batch())
    return loss.eval()


def test_declares_how_it_is_trained_and_used(loss: Loss) -> None:
    assert loss.metric in get_args(Metric)
    assert loss.sampling in get_args(Sampling)
    assert isinstance(loss.fits_prototypes, bool)
    assert (loss.classes, loss.dimension) == (CLASSES, DIMENSION)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("autocast", [False, True])
def test_the_loss_is_a_finite_float32_scalar(
    loss: Loss, dtype: torch.dtype, autocast: bool
) -> None:
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        value = loss(*batch(dtype))
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert value >= 0


@pytest.mark.parametrize("autocast", [False, True])
def test_backward_gives_finite_gradients(loss: Loss, autocast: bool) -> None:
    embeddings, labels = batch()
    embeddings.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        value = loss(embeddings, labels)
    value.backward()
    gradients = [embeddings.grad, *(parameter.grad for parameter in loss.parameters())]
    for gradient in gradients:
        assert gradient is not None
        assert gradient.isfinite().all()
    assert embeddings.grad is not None
    assert embeddings.grad.any()


def test_a_step_against_the_gradient_lowers_the_loss(loss: Loss) -> None:
    embeddings, labels = batch()
    embeddings.requires_grad_()
    loss(embeddings, labels)  # in training mode, for losses that place something first
    loss.eval()
    before = loss(embeddings, labels)
    (gradient,) = torch.autograd.grad(before, embeddings)
    assert loss(embeddings - 1e-2 * gradient / gradient.norm(), labels) < before


def test_the_order_of_a_batch_does_not_matter(loss: Loss) -> None:
    embeddings, labels = batch()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(2))
    loss.eval()
    torch.testing.assert_close(loss(embeddings[order], labels[order]), loss(embeddings, labels))


def test_a_batch_of_one_image_is_answered(loss: Loss) -> None:
    embeddings, labels = batch()
    assert loss(embeddings[:1], labels[:1]).isfinite()


def test_logits_are_float32_class_scores_of_each_image_alone(loss: Loss) -> None:
    embeddings, _ = batch()
    logits = fitted(loss).logits(embeddings)
    assert logits.shape == (4 * CLASSES, CLASSES)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    torch.testing.assert_close(loss.logits(embeddings[3:4]), logits[3:4])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss.logits(embeddings), logits)


def test_logits_change_nothing(loss: Loss) -> None:
    embeddings, _ = batch()
    fitted(loss)
    before = {name: tensor.clone() for name, tensor in loss.state_dict().items()}
    loss.logits(embeddings)
    assert all(torch.equal(tensor, before[name]) for name, tensor in loss.state_dict().items())


def test_training_embeddings_alone_teaches_it_to_classify(loss: Loss) -> None:
    """Its logits serve the same goal as its loss: without a backbone, the batch is learned."""
    embeddings, labels = batch()
    embeddings.requires_grad_()
    optimizer = torch.optim.Adam([embeddings, *loss.parameters()], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss(embeddings, labels).backward()
        optimizer.step()
    loss.fit_prototypes(embeddings.detach(), labels)
    assert (loss.logits(embeddings).argmax(dim=1) == labels).float().mean() > 0.95


def test_the_state_is_all_that_it_remembers(loss: Loss, name: str) -> None:
    embeddings, labels = batch()
    loss.ramp(0.1)
    loss(embeddings, labels)
    loss.fit_prototypes(embeddings, labels)
    restored = make_loss(name, CLASSES, DIMENSION)
    restored.load_state_dict(loss.state_dict())
    assert torch.equal(restored(embeddings, labels), loss(embeddings, labels))
    assert torch.equal(restored.logits(embeddings), loss.logits(embeddings))


def test_diagnostics_are_finite_numbers(loss: Loss) -> None:
    for key, value in loss.eval().diagnostics(*batch()).items():
        assert isinstance(key, str)
        assert isinstance(value, float)
        assert math.isfinite(value)


@pytest.mark.parametrize("progress", [0.0, 0.1, 0.5, 1.0])
def test_every_share_of_training_is_a_loss(loss: Loss, progress: float) -> None:
    loss.ramp(progress)
    assert loss(*batch()).isfinite()


def test_a_class_of_weight_3_counts_as_three_of_its_images(loss: Loss) -> None:
    if loss.sampling == "balanced":
        pytest.skip("its batches hold as many images of every class")
    embeddings, labels = batch()
    copies = torch.where(labels == 0, 3, 1)
    loss.eval()
    expected = loss(embeddings.repeat_interleave(copies, dim=0), labels.repeat_interleave(copies))
    unweighted = loss(embeddings, labels)
    loss.weigh_classes(torch.tensor([6.0] + [2.0] * (CLASSES - 1)))
    torch.testing.assert_close(loss(embeddings, labels), expected)
    assert not torch.isclose(expected, unweighted)


def test_equal_weights_change_nothing_and_none_are_saved(loss: Loss, name: str) -> None:
    embeddings, labels = batch()
    loss.eval()
    expected = loss(embeddings, labels)
    loss.weigh_classes(torch.full((CLASSES,), 0.3))
    torch.testing.assert_close(loss(embeddings, labels), expected)
    assert loss.state_dict().keys() == make_loss(name, CLASSES, DIMENSION).state_dict().keys()
    loss.weigh_classes(None)
    assert torch.equal(loss(embeddings, labels), expected)
