"""The split into training, tuning and calibration images."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from training.data.dataset import Dataset, LabeledImages, Splits, split
from training.errors import InvalidDataset


def labeled(labels: Tensor) -> LabeledImages:
    """One-pixel images; `ids` are the row numbers, and so are the pixels where they fit."""
    rows = torch.arange(len(labels)) % 256
    images = rows.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 1, 3)
    return LabeledImages(images, labels, tuple(map(str, range(len(labels)))))


def dataset(labels: Tensor) -> Dataset:
    names = tuple(f"class {label}" for label in range(int(labels.max()) + 1))
    return Dataset("made", "rows", "0" * 64, names, labeled(labels), labeled(labels[:10]))


def parts(splits: Splits) -> tuple[LabeledImages, LabeledImages, LabeledImages]:
    return splits.train, splits.tuning, splits.calibration.read_to_calibrate()


@pytest.fixture(scope="module")
def cifar() -> Dataset:
    """CIFAR-10's label counts: 5,000 of each of ten classes, in no order."""
    order = torch.randperm(50_000, generator=torch.Generator().manual_seed(0))
    return dataset((torch.arange(50_000) % 10)[order])


def test_sizes_for_cifar(cifar: Dataset) -> None:
    assert [len(part) for part in parts(split(cifar, 0.1, 0))] == [40_000, 5_000, 5_000]


def test_every_part_has_the_same_share_of_each_class(cifar: Dataset) -> None:
    for part, each in zip(parts(split(cifar, 0.1, 0)), (4_000, 500, 500), strict=True):
        assert part.labels.bincount().tolist() == [each] * 10


def test_the_parts_are_disjoint_and_nothing_is_lost(cifar: Dataset) -> None:
    ids = [image for part in parts(split(cifar, 0.1, 0)) for image in part.ids]
    assert sorted(ids) == sorted(cifar.train.ids)


def test_images_labels_and_ids_stay_together(cifar: Dataset) -> None:
    for part in parts(split(cifar, 0.1, 0)):
        rows = torch.tensor([int(image) for image in part.ids])
        assert torch.equal(part.labels, cifar.train.labels[rows])
        assert torch.equal(part.images[:, 0, 0, 0].long(), rows % 256)


def test_the_seed_and_the_labels_alone_decide(cifar: Dataset) -> None:
    first, again, other = (split(cifar, 0.1, seed) for seed in (3, 3, 4))
    assert [part.ids for part in parts(first)] == [part.ids for part in parts(again)]
    assert set(first.tuning.ids) != set(other.tuning.ids)
    assert set(parts(first)[2].ids) != set(parts(other)[2].ids)


def test_the_test_images_pass_through(cifar: Dataset) -> None:
    assert split(cifar, 0.1, 0).test is cifar.test


def test_uneven_classes_are_each_split_by_their_own_size() -> None:
    labels = torch.tensor([0] * 100 + [1] * 10 + [2] * 40)
    counts = [part.labels.bincount().tolist() for part in parts(split(dataset(labels), 0.2, 0))]
    assert counts == [[60, 6, 24], [20, 2, 8], [20, 2, 8]]


@pytest.mark.parametrize(("count", "kept"), [(3, 1), (4, 2), (8, 6), (10, 8)])
def test_small_classes_have_one_image_in_each_part_at_least(count: int, kept: int) -> None:
    labels = torch.tensor([0] * 300 + [1] * count)
    counts = [part.labels.bincount().tolist() for part in parts(split(dataset(labels), 0.1, 0))]
    assert counts == [[240, kept], [30, 1], [30, 1]]


@pytest.mark.parametrize(
    ("counts", "holdout", "message"),
    [
        ((20, 2), 0.4, "class 'class 1' has 2 training images"),
        ((20, 0), 0.1, "class 'class 1' has 0 training images"),
        ((9, 1), 0.1, "class 'class 1' has 1 training images"),
    ],
)
def test_too_few_images_are_refused(counts: tuple[int, int], holdout: float, message: str) -> None:
    labels = torch.arange(2).repeat_interleave(torch.tensor(counts))
    few = replace(dataset(torch.tensor([0, 1])), train=labeled(labels))
    with pytest.raises(InvalidDataset, match=message):
        split(few, holdout, 0)


def test_take_keeps_the_order_asked_for() -> None:
    taken = labeled(torch.tensor([0, 1, 2, 3])).take(torch.tensor([2, 0, 2]))
    assert taken.ids == ("2", "0", "2")
    assert taken.labels.tolist() == [2, 0, 2]
    assert taken.images[:, 0, 0, 0].tolist() == [2, 0, 2]


def test_left_out_classes_are_gone_and_the_others_renumbered() -> None:
    whole = dataset(torch.arange(60) % 4)
    known, left = whole.leave_out(("class 1",))
    assert known.class_names == ("class 0", "class 2", "class 3")
    assert known.sha256 == whole.sha256
    for part, origin, gone in (
        (known.train, whole.train, left.train),
        (known.test, whole.test, left.test),
    ):
        old = {name: int(label) for name, label in zip(origin.ids, origin.labels, strict=True)}
        for name, label, image in zip(part.ids, part.labels.tolist(), part.images, strict=True):
            assert known.class_names[label] == whole.class_names[old[name]]
            assert torch.equal(image, origin.images[origin.ids.index(name)])
        assert set(gone.labels.tolist()) <= {-1}
        assert set(gone.ids) == {name for name, label in old.items() if label == 1}
        assert len(part) + len(gone) == len(origin)


def test_a_class_that_is_not_there_cannot_be_left_out() -> None:
    with pytest.raises(InvalidDataset, match=r"no class unicorn .*; available: class 0, class 1"):
        dataset(torch.arange(60) % 4).leave_out(("unicorn",))


def test_two_classes_must_remain() -> None:
    with pytest.raises(InvalidDataset, match="fewer than two"):
        dataset(torch.arange(60) % 4).leave_out(("class 0", "class 1", "class 2"))


def test_images_are_found_by_their_ids() -> None:
    whole = dataset(torch.arange(60) % 4)
    found = whole.train.named(("7", "3"))
    assert [int(image[0, 0, 0]) for image in found.values()] == [7, 3]
