"""Class weights: from which labels they come, and what they do to each loss."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from tests.support.loss_batches import random_batch
from tests.support.tiny_runs import tiny_recipe, tiny_splits, tiny_trainer
from training.errors import InvalidRecipe
from training.loop.trainer import Trainer
from training.losses import ALL_LOSSES, make_loss
from training.losses.balance import importance, weigh
from training.losses.triplet import TripletLoss, mine

UNEVEN = torch.tensor([0] * 6 + [1] * 3 + [2] * 1)


def test_every_class_weighs_the_same_in_all_and_an_image_1_on_average() -> None:
    weights = importance(UNEVEN, 3)
    assert weights is not None
    torch.testing.assert_close(weights * UNEVEN.bincount(), torch.full((3,), 10 / 3))
    assert weights[UNEVEN].mean().item() == pytest.approx(1.0)


def test_a_class_without_images_has_a_finite_weight() -> None:
    weights = importance(UNEVEN, 4)
    assert weights is not None
    assert weights[3] == weights[2]


def test_classes_of_one_size_are_not_weighted() -> None:
    assert importance(torch.arange(30) % 3, 3) is None


def test_a_loss_is_weighed_where_the_recipe_says_so_and_its_batches_do_not() -> None:
    softmax, plain, triplet = (make_loss(name, 3, 4) for name in ("softmax", "softmax", "triplet"))
    weigh(softmax, UNEVEN, "weights")
    weigh(plain, UNEVEN, "none")
    weigh(triplet, UNEVEN, "weights")
    assert softmax.importance is not None
    assert (plain.importance, triplet.importance) == (None, None)


def test_the_trainer_weighs_uneven_classes_alone() -> None:
    assert tiny_trainer("softmax").embedder.loss.importance is None
    even = tiny_splits()
    uneven = replace(even, train=even.train.take((even.train.labels < 2).nonzero().flatten()[5:]))
    weighted, plain = (
        Trainer(tiny_recipe("softmax", balance=balance), uneven, classes=2).embedder.loss.importance
        for balance in ("weights", "none")
    )
    assert weighted is not None
    torch.testing.assert_close(weighted, importance(uneven.train.labels, 2))
    assert plain is None


def test_a_rare_class_is_not_left_without_a_prototype(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.in_memory._SAMPLE", 1)
    trainer = tiny_trainer("triplet")
    trainer.tuning_logits()
    assert trainer.embedder.loss.get_buffer("prototypes").any(dim=1).all()


def test_cross_entropy_is_weighted_as_torch_weighs_it() -> None:
    loss = make_loss("softmax", 3, 4)
    embeddings, labels = random_batch(20, 3, 4, dtype=torch.float32)
    weights = torch.tensor([0.5, 1.0, 8.0])
    loss.weigh_classes(weights)
    each = F.cross_entropy(loss.logits(embeddings), labels, reduction="none")
    expected = (weights[labels] * each).sum() / weights[labels].sum()
    torch.testing.assert_close(loss(embeddings, labels), expected)


def test_the_pull_to_the_centers_is_weighted_and_their_steps_are_not() -> None:
    weighted, plain = (make_loss("center", 3, 4, {"weight": 2.0}) for _ in range(2))
    weighted.load_state_dict(plain.state_dict())
    weights = torch.tensor([0.5, 1.0, 8.0])
    weighted.weigh_classes(weights)
    embeddings, labels = random_batch(20, 3, 4, dtype=torch.float32)
    for loss in (weighted, plain):
        loss(embeddings, labels)
    centers = plain.get_buffer("centers")
    assert torch.equal(weighted.get_buffer("centers"), centers)

    weighted.eval()
    entropy = F.cross_entropy(weighted.logits(embeddings), labels, weight=weights)
    squares = (embeddings - centers[labels]).square().sum(dim=1)
    pull = (weights[labels] * squares).sum() / weights[labels].sum()
    torch.testing.assert_close(weighted(embeddings, labels), entropy + 2.0 / 2 * pull)


def test_a_triplet_counts_as_its_anchors_class_does() -> None:
    loss = TripletLoss(3, 4, margin=0.5)
    embeddings, labels = random_batch(20, 3, 4, dtype=torch.float32)
    weights = torch.tensor([0.5, 1.0, 8.0])
    loss.weigh_classes(weights)
    pairs = mine(F.normalize(embeddings), labels)
    hinges = F.relu(pairs.positive - pairs.negative + 0.5)
    of_pair = weights[labels[pairs.anchor]]
    torch.testing.assert_close(loss(embeddings, labels), (of_pair * hinges).sum() / of_pair.sum())


def test_weights_follow_the_loss_to_its_precision() -> None:
    loss = make_loss("softmax", 3, 4)
    loss.weigh_classes(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    embeddings, labels = random_batch(20, 3, 4, dtype=torch.bfloat16)
    assert loss(embeddings, labels).dtype == torch.float32
    assert loss.double()(embeddings.double(), labels).dtype == torch.float64


@pytest.mark.parametrize(
    "weights", [[1.0, 2.0], [1.0, 0.0, 2.0], [1.0, -1.0, 2.0], [1.0, 2.0, torch.inf]]
)
def test_weights_that_are_not_one_positive_number_a_class_are_refused(weights: list[float]) -> None:
    with pytest.raises(InvalidRecipe, match="3 positive numbers"):
        make_loss("softmax", 3, 4).weigh_classes(torch.tensor(weights))


@pytest.mark.parametrize("name", sorted(ALL_LOSSES))
def test_weighted_classes_take_float64(name: str) -> None:
    """Weights that are given to a loss in float64 come in float32."""
    loss = make_loss(name, 3, 8).double()
    embeddings, labels = random_batch(24, 3, 8)
    loss.weigh_classes(torch.tensor([0.5, 1.0, 8.0]))
    found = loss(embeddings.requires_grad_(), labels)
    found.backward()
    assert found.dtype == torch.float64
    assert embeddings.grad is not None
    assert bool(embeddings.grad.isfinite().all())
