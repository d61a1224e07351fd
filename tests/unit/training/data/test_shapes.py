"""The shape checks that tests/conftest.py switches on are really on."""

import pytest
import torch
from jaxtyping import TypeCheckError

from training.data.augment import crop_and_flip
from training.data.dataset import LabeledImages
from training.losses import ALL_LOSSES, make_loss


@pytest.mark.parametrize("name", ALL_LOSSES)
@pytest.mark.parametrize(
    ("embeddings", "labels"),
    [
        pytest.param(torch.zeros(3, 4), torch.zeros(2, dtype=torch.int64), id="lengths differ"),
        pytest.param(torch.zeros(3), torch.zeros(3, dtype=torch.int64), id="not a batch"),
        pytest.param(torch.zeros(3, 4), torch.zeros(3), id="labels are not integers"),
    ],
)
def test_a_wrong_shape_raises(name: str, embeddings: torch.Tensor, labels: torch.Tensor) -> None:
    with pytest.raises(TypeCheckError):
        make_loss(name, 10, 4)(embeddings, labels)


def test_a_value_with_a_wrong_shape_raises() -> None:
    with pytest.raises(TypeCheckError):
        LabeledImages(
            torch.zeros(2, 8, 8, 1, dtype=torch.uint8),
            torch.zeros(2, dtype=torch.int64),
            ("a", "b"),
        )


def test_a_wrong_dtype_raises() -> None:
    with pytest.raises(TypeCheckError):
        crop_and_flip(torch.zeros(2, 8, 8, 3), torch.tensor([0]), None, 4, torch.Generator())
