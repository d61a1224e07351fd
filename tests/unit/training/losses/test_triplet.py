"""Triplet loss: its value and gradient where batches degenerate, prototypes, diagnostics."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests.support.loss_batches import random_batch
from training.losses.triplet import TripletLoss


def gradient(loss: TripletLoss, embeddings: Tensor, labels: Tensor) -> Tensor:
    leaf = embeddings.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(leaf, labels), leaf)
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_duplicates_give_a_finite_gradient(dtype: torch.dtype) -> None:
    """The derivative of sqrt(0) is infinite where eps stands outside the root."""
    embeddings, labels = random_batch(8, 2, 4, dtype=dtype)
    twice, labels_twice = torch.cat([embeddings, embeddings]), torch.cat([labels, labels])
    found = gradient(TripletLoss(2, 4, margin=1.0).to(dtype), twice, labels_twice)
    assert found.isfinite().all()
    assert found.any()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("rows", [1, 12])
def test_what_is_no_number_makes_the_loss_none(value: float, rows: int) -> None:
    """The trainer then says that training diverged; an IndexError would say nothing."""
    embeddings, labels = random_batch(12, 3, 4, dtype=torch.float32)
    embeddings[:rows] = value
    assert TripletLoss(3, 4)(embeddings, labels).isnan()


@pytest.mark.parametrize("margin", [0.05, 0.2, 0.3])
def test_a_collapse_shows_as_a_loss_of_exactly_the_margin(margin: float) -> None:
    loss = TripletLoss(2, 4, margin=margin)
    embeddings, labels = torch.ones(8, 4), torch.arange(8) % 2
    assert loss(embeddings, labels).item() == pytest.approx(margin)
    assert gradient(loss, embeddings, labels).isfinite().all()
    diagnostics = loss.diagnostics(embeddings, labels)
    assert diagnostics["active_fraction"] == 1
    assert diagnostics["mean_positive_distance"] == diagnostics["mean_negative_distance"] == 0
    assert diagnostics["spread"] == pytest.approx(0, abs=1e-6)


def test_diagnostics_of_a_perfect_embedding() -> None:
    embeddings = torch.tensor([[1.0, 0], [2, 0], [-1, 0], [-3, 0]])
    diagnostics = TripletLoss(2, 2).diagnostics(embeddings, torch.tensor([0, 0, 1, 1]))
    assert diagnostics == {
        "active_fraction": 0.0,
        "mean_positive_distance": 0.0,
        "mean_negative_distance": 2.0,
        "spread": 1.0,
    }


@pytest.mark.parametrize(
    "labels", [[0, 0, 0, 0], [0, 1, 2, 3], [0]], ids=["one class", "no positive pair", "one image"]
)
def test_a_batch_without_triplets_costs_nothing_and_can_be_stepped(labels: list[int]) -> None:
    embeddings, _ = random_batch(len(labels), 4, 3)
    loss = TripletLoss(4, 3).double()
    assert loss(embeddings, torch.tensor(labels)).item() == 0
    assert not gradient(loss, embeddings, torch.tensor(labels)).any()


def test_the_length_of_an_embedding_does_not_matter() -> None:
    embeddings, labels = random_batch(24, 3, 4)
    loss = TripletLoss(3, 4).double()
    value = loss(F.normalize(embeddings), labels)
    torch.testing.assert_close(loss(embeddings, labels), value)


def test_prototypes_are_the_means_of_unit_length_embeddings() -> None:
    embeddings, labels = random_batch(40, 3, 4)
    loss = TripletLoss(3, 4).double()
    loss.fit_prototypes(embeddings, labels)
    for label in range(3):
        members = [x / x.norm() for x, y in zip(embeddings, labels, strict=True) if y == label]
        torch.testing.assert_close(loss.prototypes[label], torch.stack(members).mean(dim=0))


def test_prototypes_are_fitted_anew_and_kept() -> None:
    embeddings, labels = random_batch(40, 3, 4)
    loss, restored = TripletLoss(3, 4).double(), TripletLoss(3, 4).double()
    loss.fit_prototypes(-embeddings, labels)
    loss.fit_prototypes(embeddings, labels)
    restored.fit_prototypes(embeddings, labels)
    assert torch.equal(loss.prototypes, restored.prototypes)
    restored.load_state_dict(loss.state_dict())
    assert not list(loss.parameters())
    assert torch.equal(loss.logits(embeddings), restored.logits(embeddings))


def test_logits_are_minus_the_squared_distance_to_the_prototypes() -> None:
    embeddings, labels = random_batch(40, 3, 4)
    loss = TripletLoss(3, 4).double()
    loss.fit_prototypes(embeddings, labels)
    for row, logits in zip(embeddings, loss.logits(embeddings), strict=True):
        expected = [-((row / row.norm() - mean) ** 2).sum() for mean in loss.prototypes]
        torch.testing.assert_close(logits, torch.stack(expected))


class LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches every tensor that an operation makes, forward and backward."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return made


@pytest.mark.parametrize("size", [32, 64, 128])
def test_memory_grows_with_the_square_of_the_batch(size: int) -> None:
    embeddings, _ = random_batch(size, 2, 4, dtype=torch.float32)
    labels = torch.arange(size) % 2
    with LargestTensor() as largest:  # type: ignore[no-untyped-call]
        gradient(TripletLoss(2, 4), embeddings, labels)
    assert size**2 <= largest.elements <= 2 * size**2
