"""The losses beyond the five: against pytorch-metric-learning, or plain loops in float64."""

import math
from itertools import product
from typing import Any

import pytest
import torch
from pytorch_metric_learning import losses as others
from torch import Tensor
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from training.errors import InvalidRecipe
from training.losses.arcface import ArcFaceLoss
from training.losses.base import Loss
from training.losses.cosface import CosFaceLoss
from training.losses.logitnorm import LogitNormLoss
from training.losses.normalized_softmax import NormalizedSoftmaxLoss
from training.losses.proxy_anchor import ProxyAnchorLoss
from training.losses.subcenter import SubCenterArcFaceLoss
from training.losses.supcon import SupConLoss

SEEDS = pytest.mark.parametrize("seed", range(3))


def value_and_gradient(loss: Any, embeddings: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    leaf = embeddings.clone().requires_grad_()
    value = loss(leaf, *rest)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def assert_equal(ours: Loss, theirs: Any, embeddings: Tensor, labels: Tensor) -> None:
    expected = value_and_gradient(theirs, embeddings, labels)
    torch.testing.assert_close(value_and_gradient(ours, embeddings, labels), expected)


@SEEDS
@pytest.mark.parametrize("scale", [10.0, 20.0])
def test_normalized_softmax(seed: int, scale: float) -> None:
    ours = NormalizedSoftmaxLoss(10, 16, scale=scale).double()
    theirs = others.NormalizedSoftmaxLoss(10, 16, temperature=1 / ours.scale.item()).double()
    with torch.no_grad():
        theirs.W.copy_(ours.weight.T)
    assert_equal(ours, theirs, *random_batch(40, 10, 16, seed))


def test_normalized_softmax_is_a_margin_loss_without_its_margin() -> None:
    embeddings, labels = random_batch(40, 10, 16)
    ours = NormalizedSoftmaxLoss(10, 16).double()
    for margin_loss in (CosFaceLoss(10, 16, margin=0.0), ArcFaceLoss(10, 16, margin=0.0)):
        margin_loss.load_state_dict(ours.state_dict(), strict=False)
        expected = value_and_gradient(margin_loss.double(), embeddings, labels)
        torch.testing.assert_close(value_and_gradient(ours, embeddings, labels), expected)


@SEEDS
@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_supcon(seed: int, temperature: float) -> None:
    ours = SupConLoss(4, 8, temperature=temperature).double()
    theirs = others.SupConLoss(temperature=ours.temperature.item())
    assert_equal(ours, theirs, *random_batch(24, 4, 8, seed))


def test_supcon_leaves_out_anchors_without_positives() -> None:
    ours = SupConLoss(4, 8).double()
    embeddings, _ = random_batch(5, 4, 8)
    labels = torch.tensor([0, 0, 1, 2, 3])
    unit = F.normalize(embeddings)
    shares = (unit @ unit.T / ours.temperature).fill_diagonal_(-torch.inf).log_softmax(dim=1)
    expected = -(shares[0, 1] + shares[1, 0]) / 2
    torch.testing.assert_close(ours(embeddings, labels), expected)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [0]])
def test_supcon_of_a_batch_without_positives_is_0_and_has_a_gradient(labels: list[int]) -> None:
    embeddings = torch.randn(len(labels), 8)
    value, gradient = value_and_gradient(SupConLoss(4, 8), embeddings, torch.tensor(labels))
    assert value == 0
    assert not gradient.any()


@SEEDS
@pytest.mark.parametrize(("scale", "margin"), [(32.0, 0.1), (8.0, 0.3)])
def test_proxy_anchor(seed: int, scale: float, margin: float) -> None:
    ours = ProxyAnchorLoss(10, 16, scale=scale, margin=margin).double()
    theirs = others.ProxyAnchorLoss(10, 16, margin=ours.margin.item(), alpha=scale).double()
    with torch.no_grad():
        theirs.proxies.copy_(ours.proxies)
    embeddings, labels = random_batch(40, 10, 16, seed)
    assert_equal(ours, theirs, embeddings, labels)
    some = labels < 6  # proxies without images pull nothing
    assert_equal(ours, theirs, embeddings[some], labels[some])


@SEEDS
@pytest.mark.parametrize("centers", [1, 3])
def test_subcenter_arcface(seed: int, centers: int) -> None:
    torch.manual_seed(seed)
    ours = SubCenterArcFaceLoss(10, 16, scale=20.0, centers=float(centers)).double()
    degrees = math.degrees(ours.margin.item())
    sizes = {"num_classes": 10, "embedding_size": 16, "sub_centers": centers}
    theirs = others.SubCenterArcFaceLoss(**sizes, margin=degrees, scale=20.0).double()
    with torch.no_grad():  # theirs: a column for each sub-center, those of a class side by side
        theirs.W.copy_(ours.weight.permute(2, 1, 0).reshape(16, 10 * centers))
    embeddings, labels = random_batch(40, 10, 16, seed)
    assert_equal(ours, theirs, embeddings, labels)
    torch.testing.assert_close(ours.logits(embeddings), theirs.get_logits(embeddings))


def test_subcenter_arcface_of_one_center_is_arcface() -> None:
    torch.manual_seed(0)
    ours = SubCenterArcFaceLoss(10, 16, centers=1.0)
    plain = ArcFaceLoss(10, 16)
    with torch.no_grad():
        plain.weight.copy_(ours.weight[0])
    embeddings, labels = torch.randn(20, 16), torch.arange(20) % 10
    torch.testing.assert_close(ours(embeddings, labels), plain(embeddings, labels))


@pytest.mark.parametrize("centers", [0.0, 2.5, 17.0, float("nan")])
def test_a_number_of_centers_that_cannot_be_is_refused(centers: float) -> None:
    with pytest.raises(InvalidRecipe, match="centers must be"):
        SubCenterArcFaceLoss(10, 16, centers=centers)


def naive_logitnorm(loss: LogitNormLoss, embeddings: Tensor, labels: Tensor) -> float:
    total = 0.0
    for row, label in zip(loss.linear(embeddings).tolist(), labels.tolist(), strict=True):
        length = math.sqrt(sum(value * value for value in row))
        scores = [value / (loss.temperature.item() * length) for value in row]
        top = max(scores)
        total += top + math.log(sum(math.exp(score - top) for score in scores)) - scores[label]
    return total / len(labels)


@SEEDS
@pytest.mark.parametrize("temperature", [0.02, 0.2])
def test_logitnorm(seed: int, temperature: float) -> None:
    torch.manual_seed(seed)
    loss = LogitNormLoss(5, 8, temperature=temperature).double()
    embeddings, labels = random_batch(20, 5, 8, seed)
    expected = naive_logitnorm(loss, embeddings, labels)
    assert loss(embeddings, labels).item() == pytest.approx(expected)
    embeddings.requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: loss(rows, labels), embeddings)


def test_logitnorm_does_not_see_the_length_of_logits() -> None:
    loss = LogitNormLoss(5, 8).double()
    with torch.no_grad():
        loss.linear.bias.zero_()
    embeddings, labels = random_batch(20, 5, 8)
    torch.testing.assert_close(loss(7 * embeddings, labels), loss(embeddings, labels))
    assert not torch.allclose(loss.logits(7 * embeddings), loss.logits(embeddings))


def test_logitnorm_of_logits_of_0_is_even_and_has_no_gradient() -> None:
    loss = LogitNormLoss(5, 8)
    with torch.no_grad():
        loss.linear.bias.zero_()
    embeddings = torch.zeros(3, 8)
    value, gradient = value_and_gradient(loss, embeddings, torch.arange(3))
    assert value.item() == pytest.approx(math.log(5))
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("loss", "name", "value"),
    [
        *product((LogitNormLoss, SupConLoss), ["temperature"], [0.0, -1.0, 1.5, float("nan")]),
        *product((ProxyAnchorLoss,), ["scale"], [0.0, 100.0, float("nan")]),
        *product((ProxyAnchorLoss,), ["margin"], [-0.1, 1.5, float("nan")]),
        (NormalizedSoftmaxLoss, "scale", 2.0),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_name(loss: Any, name: str, value: float) -> None:
    with pytest.raises(InvalidRecipe, match=name):
        loss(10, 16, **{name: value})
