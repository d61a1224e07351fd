"""Batches that go wrong easily, for every registered loss."""

import pytest
import torch
from torch import Tensor

from training.losses import ALL_LOSSES, make_loss
from training.losses.base import Loss

CLASSES, DIMENSION = 5, 8
NAMES = pytest.mark.parametrize("name", ALL_LOSSES)
WEIGHED_BY_IMAGE = [name for name, loss in ALL_LOSSES.items() if loss.mixable]


def made(name: str) -> Loss:
    torch.manual_seed(0)
    return make_loss(name, CLASSES, DIMENSION)


def rows(count: int) -> Tensor:
    return torch.randn(count, DIMENSION, generator=torch.Generator().manual_seed(3))


def gradients(loss: Loss, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The value, and the gradients of embeddings and parameters, those that there are."""
    leaf = embeddings.clone().requires_grad_()
    value = loss(leaf, labels)
    torch.autograd.backward(value)
    given = [leaf.grad, *(parameter.grad for parameter in loss.parameters())]
    return value.detach(), [one for one in given if one is not None]


@NAMES
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_embeddings_of_zeros_alone(name: str, dtype: torch.dtype) -> None:
    labels = torch.arange(20) % CLASSES
    value, given = gradients(made(name), torch.zeros(20, DIMENSION, dtype=dtype), labels)
    assert value.isfinite()
    assert all(one.isfinite().all() for one in given)


@NAMES
@pytest.mark.parametrize("labels", [[2] * 8, [0, 1, 2, 3, 4], [1]], ids=["one", "each", "single"])
def test_a_batch_of_one_class_or_without_positives_can_be_stepped(
    name: str, labels: list[int]
) -> None:
    value, given = gradients(made(name), rows(len(labels)), torch.tensor(labels))
    assert value.isfinite()
    assert value >= 0
    assert given[0].shape == (len(labels), DIMENSION)
    assert all(one.isfinite().all() for one in given)


@NAMES
def test_embeddings_in_bfloat16_are_computed_as_those_numbers_in_float32(name: str) -> None:
    half = rows(20).bfloat16()
    labels = torch.arange(20) % CLASSES
    value, given = gradients(made(name), half, labels)
    expected, full = gradients(made(name), half.float(), labels)
    torch.testing.assert_close(value, expected, rtol=0, atol=0)
    assert given[0].dtype == torch.bfloat16
    torch.testing.assert_close(given[0].float(), full[0], rtol=1e-2, atol=1e-4)


@NAMES
def test_even_weights_of_classes_change_nothing(name: str) -> None:
    embeddings, labels = rows(20), torch.arange(20) % CLASSES
    plain, weighed = made(name), made(name)
    weighed.weigh_classes(torch.full((CLASSES,), 3.0))
    torch.testing.assert_close(weighed(embeddings, labels), plain(embeddings, labels))


@NAMES
def test_weights_of_classes_reach_the_loss(name: str) -> None:
    embeddings, labels = rows(20), torch.arange(20) % CLASSES
    plain, weighed = made(name), made(name)
    weighed.weigh_classes(torch.tensor([1.0, 1.0, 50.0, 1.0, 1.0]))
    assert not torch.isclose(weighed(embeddings, labels), plain(embeddings, labels))


@pytest.mark.parametrize("name", WEIGHED_BY_IMAGE)
def test_a_mean_over_images_is_weighed_image_by_image(name: str) -> None:
    loss = made(name).double().eval()
    embeddings, labels = rows(20).double(), torch.arange(20) % CLASSES
    alone = torch.stack([loss(embeddings[i : i + 1], labels[i : i + 1]) for i in range(20)])
    weights = torch.tensor([1.0, 2.0, 0.5, 7.0, 1.0], dtype=torch.float64)
    loss.weigh_classes(weights)
    expected = (weights[labels] * alone).sum() / weights[labels].sum()
    torch.testing.assert_close(loss(embeddings, labels), expected)
