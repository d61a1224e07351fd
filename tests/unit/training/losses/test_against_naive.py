"""Every loss and its gradient, against the loops in naive.py and finite differences."""

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from tests.support.loss_batches import random_batch
from tests.support.naive_losses import NAIVE, finite_differences
from training.losses import make_loss
from training.losses.base import Loss

SHAPES = [(1, 2, 3), (7, 3, 5), (24, 4, 2), (40, 10, 16)]  # b, c, d


def ready(name: str, classes: int, dimension: int, seed: int) -> Loss:
    """A loss in evaluation mode, so that nothing moves between two calls; buffers not at zero."""
    torch.manual_seed(seed)
    loss = make_loss(name, classes, dimension).eval()
    if name == "center":
        loss.get_buffer("centers").normal_()
    return loss


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("size", "classes", "dimension"), SHAPES)
@pytest.mark.parametrize("name", NAIVE)
def test_value(name: str, size: int, classes: int, dimension: int, seed: int) -> None:
    loss = ready(name, classes, dimension, seed).double()
    embeddings, labels = random_batch(size, classes, dimension, seed)
    expected = NAIVE[name](loss, embeddings.tolist(), labels.tolist())
    assert loss(embeddings, labels).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", NAIVE)
def test_value_from_lower_precision_under_autocast(name: str, dtype: torch.dtype) -> None:
    loss = ready(name, 10, 16, seed=1)
    embeddings, labels = random_batch(40, 10, 16, seed=1, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(embeddings, labels)
    assert value.dtype == torch.float32
    expected = NAIVE[name](loss, embeddings.double().tolist(), labels.tolist())
    assert value.item() == pytest.approx(expected, rel=1e-4)  # bfloat16 would be off by 1e-2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NAIVE)
def test_gradient_equals_finite_differences_of_the_naive_value(name: str, seed: int) -> None:
    loss = ready(name, 3, 4, seed).double()
    embeddings, labels = random_batch(9, 3, 4, seed)
    embeddings.requires_grad_()
    loss(embeddings, labels).backward()
    expected = finite_differences(
        lambda rows: NAIVE[name](loss, rows, labels.tolist()), embeddings.tolist()
    )
    assert embeddings.grad is not None
    torch.testing.assert_close(
        embeddings.grad, torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("name", NAIVE)
def test_gradient_of_embeddings_and_parameters(name: str) -> None:
    loss = ready(name, 3, 4, seed=5).double()
    embeddings, labels = random_batch(9, 3, 4, seed=5)
    names = [key for key, _ in loss.named_parameters()]

    def value(rows: Tensor, *parameters: Tensor) -> Tensor:
        found: Tensor = functional_call(
            loss, dict(zip(names, parameters, strict=True)), (rows, labels)
        )
        return found

    inputs = [embeddings, *(parameter.detach().clone() for parameter in loss.parameters())]
    assert torch.autograd.gradcheck(value, [tensor.requires_grad_() for tensor in inputs])
