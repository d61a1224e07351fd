"""The images of each batch."""

import pytest
import torch
from torch import Tensor

from training.data.batches import epoch_batches
from training.losses.base import Sampling

SAMPLINGS: list[Sampling] = ["shuffled", "balanced"]
LABELS = torch.arange(103) % 4  # 26, 26, 26 and 25 of each class


def batches(sampling: Sampling, size: int, seed: int = 0, labels: Tensor = LABELS) -> list[Tensor]:
    return epoch_batches(labels, sampling, size, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [1, 10, 50, 103])
def test_shuffled_batches_hold_every_row_at_most_once(size: int) -> None:
    made = batches("shuffled", size)
    rows = torch.cat(made).tolist()
    assert [len(batch) for batch in made] == [size] * (103 // size)
    assert len(set(rows)) == len(rows)
    assert set(rows) <= set(range(103))


def test_shuffled_batches_of_less_than_one_batch_are_the_whole() -> None:
    (only,) = batches("shuffled", 1000)
    assert sorted(only.tolist()) == list(range(103))


@pytest.mark.parametrize(("size", "per_class"), [(8, 2), (22, 5), (40, 10), (3, 2)])
def test_balanced_batches_hold_k_of_each_class(size: int, per_class: int) -> None:
    made = batches("balanced", size)
    assert len(made) == 103 // (4 * per_class)
    for batch in made:
        assert LABELS[batch].bincount(minlength=4).tolist() == [per_class] * 4


def test_balanced_batches_of_equal_classes_hold_every_row_once() -> None:
    rows = torch.cat(batches("balanced", 16, labels=torch.arange(64) % 4))
    assert sorted(rows.tolist()) == list(range(64))


def test_a_rare_class_is_dealt_again_before_any_of_it_is_missing() -> None:
    labels = torch.tensor([0] * 60 + [1] * 3)
    made = batches("balanced", 10, labels=labels)
    rare = torch.cat(made)
    rare = rare[labels[rare] == 1]
    assert len(made) == 6
    assert len(rare) == 30
    assert rare.bincount()[60:].tolist() == [10, 10, 10]
    assert all(sorted(rare[i : i + 3].tolist()) == [60, 61, 62] for i in range(0, 30, 3))


def test_a_class_of_one_image_still_makes_pairs() -> None:
    labels = torch.tensor([0] * 20 + [1])
    for batch in batches("balanced", 4, labels=labels):
        assert labels[batch].bincount().tolist() == [2, 2]


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_generator_decides(sampling: Sampling) -> None:
    first, again, other = (torch.stack(batches(sampling, 20, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
