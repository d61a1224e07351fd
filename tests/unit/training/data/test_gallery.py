"""The gallery is the same images for every loss."""

import torch

from training.data.gallery import GALLERY_PER_CLASS, gallery_rows


def test_the_gallery_takes_500_of_each_class_once() -> None:
    labels = torch.arange(6000) % 10
    rows = gallery_rows(labels, 10)
    assert len(set(rows.tolist())) == len(rows) == 10 * GALLERY_PER_CLASS
    assert torch.equal(labels[rows].bincount(), torch.full((10,), GALLERY_PER_CLASS))


def test_a_small_class_gives_all_it_has() -> None:
    labels = torch.tensor([0] * 3 + [1] * 700)
    assert torch.equal(labels[gallery_rows(labels, 2)].bincount(), torch.tensor([3, 500]))


def test_the_choice_does_not_depend_on_the_callers_randomness() -> None:
    labels = torch.arange(6000) % 10
    torch.manual_seed(1)
    first = gallery_rows(labels, 10)
    torch.manual_seed(2)
    assert torch.equal(first, gallery_rows(labels, 10))
