"""The code blocks of docs/errata.md: what is printed fails, what is corrected holds."""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from training.errors import InvalidRecipe
from training.losses import make_loss
from training.losses.arcface import ArcFaceLoss
from training.losses.cosface import CosFaceLoss
from training.losses.softmax import SoftmaxLoss

PAGE = (Path(__file__).parents[4] / "docs" / "errata.md").read_text()
CODE: dict[str, Any] = {"torch": torch, "F": F, "math": math}
for block in re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL):
    exec(block, CODE)  # our own page

Head = Callable[..., Tensor]


@pytest.fixture
def filled_memory() -> Iterator[None]:
    """Memory that is not initialized holds NaN, instead of whatever happens to be there."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def gradient(head: Head, features: Tensor, weight: Tensor, labels: Tensor) -> Tensor | None:
    leaf = features.clone().requires_grad_()
    loss = F.cross_entropy(head(leaf, weight.requires_grad_(), labels), labels)
    (found,) = torch.autograd.grad(loss, leaf, allow_unused=True)
    return found


def test_1_softmax_pushes_every_incorrect_class_down_by_its_probability() -> None:
    logits = torch.tensor([2.0, 1.0, -1.0, 0.5], dtype=torch.float64, requires_grad=True)
    entropy = F.cross_entropy(logits.unsqueeze(0), torch.tensor([0]))
    (found,) = torch.autograd.grad(entropy, logits)
    torch.testing.assert_close(CODE["corrected_gradient"](logits.detach(), 0), found)
    assert (found[1:] != 0).all()
    assert not torch.allclose(CODE["printed_gradient"](logits.detach(), 0), found)


def test_2_a_bias_beside_the_exponential_is_undefined_where_it_is_negative() -> None:
    features, weight = torch.zeros(1, 3), torch.zeros(2, 3)
    bias, labels = torch.tensor([-2.0, 4.0]), torch.tensor([0])
    assert CODE["printed_softmax"](features, weight, bias, labels).isnan()
    assert CODE["corrected_softmax"](features, weight, bias, labels).isfinite()


def test_2_only_a_bias_in_the_exponent_gives_frequencies_back() -> None:
    frequencies = torch.tensor([0.7, 0.2, 0.1])
    features, weight, bias = torch.zeros(1, 3), torch.zeros(3, 3), frequencies.log()
    for label, frequency in enumerate(frequencies.tolist()):
        labels = torch.tensor([label])
        right = CODE["corrected_softmax"](features, weight, bias, labels)
        wrong = CODE["printed_softmax"](features, weight, bias, labels)
        assert math.exp(-right) == pytest.approx(frequency)
        assert math.exp(-wrong) != pytest.approx(frequency, rel=0.1)


def test_2_a_sum_grows_with_the_batch_and_the_mean_is_our_loss() -> None:
    loss = SoftmaxLoss(4, 3).double()
    features, labels = random_batch(6, 4, 3)
    rest = loss.linear.weight, loss.linear.bias.abs()  # no negative bias: defined for both
    twice = torch.cat([features, features]), torch.cat([labels, labels])
    printed, corrected = CODE["printed_softmax"], CODE["corrected_softmax"]
    torch.testing.assert_close(
        printed(twice[0], *rest, twice[1]), 2 * printed(features, *rest, labels)
    )
    torch.testing.assert_close(
        corrected(twice[0], *rest, twice[1]), corrected(features, *rest, labels)
    )
    ours = corrected(features, loss.linear.weight, loss.linear.bias, labels)
    torch.testing.assert_close(ours, loss(features, labels))


def test_3_without_a_scale_ten_classes_stop_at_0252() -> None:
    assert round(CODE["best_probability"](1, 10), 3) == 0.252
    assert round(CODE["smallest_cross_entropy"](1, 10), 3) == 1.377
    assert "**0.252**" in PAGE
    assert "**1.377**" in PAGE
    assert CODE["best_probability"](16, 10) > 0.999999


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_3_training_reaches_the_floor_and_never_gets_below_it(scale: float) -> None:
    """Embeddings and weights of ten classes, all free, without any margin."""
    torch.manual_seed(0)
    points, weight = (torch.randn(10, 16, dtype=torch.float64, requires_grad=True) for _ in "xw")
    optimizer = torch.optim.Adam([points, weight], lr=0.05)
    floor, value = CODE["smallest_cross_entropy"](scale, 10), math.inf
    for _ in range(600):
        optimizer.zero_grad()
        logits = scale * F.linear(F.normalize(points), F.normalize(weight))
        loss = F.cross_entropy(logits, torch.arange(10))
        torch.autograd.backward(loss)
        optimizer.step()
        value = loss.item()
        assert value >= floor - 1e-9
    assert value == pytest.approx(floor, abs=1e-4)


def test_3_what_is_printed_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="scale 1 cannot reach"):
        make_loss("cosface", 10, 64, {"scale": 1.0})
    with pytest.raises(InvalidRecipe, match="margin 10 is infeasible"):
        make_loss("cosface", 10, 64, {"margin": 10.0})


def test_4_the_cosface_listing_never_reads_the_features() -> None:
    loss = CosFaceLoss(5, 8)
    features, labels = random_batch(6, 5, 8, dtype=torch.float32)
    assert gradient(CODE["printed_cosface"], features, loss.weight, labels) is None
    found = gradient(CODE["corrected_cosface"], features, loss.weight, labels)
    assert found is not None
    assert found.any()


def test_4_the_cosface_listing_reads_uninitialized_memory(filled_memory: None) -> None:
    loss = CosFaceLoss(5, 8)
    features, labels = random_batch(6, 5, 8, dtype=torch.float32)
    assert CODE["printed_cosface"](features, loss.weight, labels).isnan().any()
    assert CODE["corrected_cosface"](features, loss.weight, labels).isfinite().all()


def test_4_the_cosface_listing_forgets_the_scale() -> None:
    loss = CosFaceLoss(5, 8)
    features, labels = loss.weight.detach(), torch.arange(5)
    printed = CODE["printed_cosface"](features, loss.weight, labels)
    assert printed.gather(1, labels.unsqueeze(1)).max() <= 1
    corrected = CODE["corrected_cosface"](features, loss.weight, labels)
    assert corrected.diagonal().tolist() == pytest.approx([16 * 0.8] * 5, rel=1e-5)
    torch.testing.assert_close(F.cross_entropy(corrected, labels), loss(features, labels))


def test_4_the_arcface_listing_cannot_run() -> None:
    loss = ArcFaceLoss(5, 8)
    features, labels = random_batch(6, 5, 8, dtype=torch.float32)
    with pytest.raises(TypeError, match="not subscriptable"):
        CODE["printed_arcface"](features, loss.weight, labels)
    with pytest.raises(NameError, match="outptu"):
        CODE["called_arcface"](features, loss.weight, labels)
    corrected = F.cross_entropy(CODE["corrected_arcface"](features, loss.weight, labels), labels)
    torch.testing.assert_close(corrected, loss(features, labels))


def test_4_the_mended_arcface_listing_breaks_on_a_perfect_embedding() -> None:
    weight, labels = torch.eye(5), torch.arange(5)
    spelled = gradient(CODE["spelled_arcface"], weight.detach(), weight, labels)
    corrected = gradient(CODE["corrected_arcface"], weight.detach(), weight, labels)
    assert spelled is not None
    assert corrected is not None
    assert not spelled.isfinite().all()
    assert corrected.isfinite().all()


def test_5_equal_models_beat_softmax_by_luck_one_time_in_five() -> None:
    """2,000 comparisons of five models that are each right on 80 % of 1,000 images."""
    generator = torch.Generator().manual_seed(0)
    printed, corrected = 0, 0
    for _ in range(2000):
        correct = torch.rand(5, 1000, generator=generator) < 0.8
        printed += CODE["printed_claim"](correct)
        corrected += CODE["corrected_claim"](correct)
    assert 0.17 < printed / 2000 < 0.23
    assert corrected / 2000 < 0.005


def test_5_a_real_difference_is_still_found() -> None:
    generator = torch.Generator().manual_seed(0)
    shares = torch.tensor([0.75, 0.8, 0.8, 0.8, 0.8]).unsqueeze(1)
    correct = torch.rand(5, 10_000, generator=generator) < shares
    assert CODE["corrected_claim"](correct)
