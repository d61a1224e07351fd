"""Copies across splits: equal, stored anew and lit anew ones; not what merely looks alike."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from models.evidence.leaks import Overlap
from tests.support.tiny_runs import sample
from training.data.copies import Copies, find_copies
from training.data.dataset import CalibrationSplit, LabeledImages, Splits
from training.data.hashes import dhash, phash
from training.evaluation.answers import Answers
from training.evaluation.leaks import leaks


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return sample(tmp_path_factory.mktemp("cache"))[1]


def stored_anew(image: np.ndarray, quality: int = 85) -> np.ndarray:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def resized(image: np.ndarray, side: int) -> np.ndarray:
    scaled = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(scaled.resize((32, 32), Image.Resampling.BILINEAR))


def cropped(image: np.ndarray, margin: int) -> np.ndarray:
    inner = Image.fromarray(image[margin:-margin, margin:-margin])
    return np.asarray(inner.resize((32, 32), Image.Resampling.BILINEAR))


def with_copy(part: LabeledImages, image: np.ndarray) -> LabeledImages:
    """The part with its first image replaced."""
    images = part.images.clone()
    images[0] = torch.from_numpy(image.copy())
    return replace(part, images=images)


def overlap(copies: Copies, split: str, other: str) -> Overlap:
    return next(one for one in copies.overlaps if (one.split, one.other) == (split, other))


def test_the_sample_has_none(splits: Splits) -> None:
    copies = find_copies(splits)
    assert [one.exact + one.near for one in copies.overlaps] == [0] * 6
    assert len(copies.test_rows) == 0


def part_of(splits: Splits, name: str) -> LabeledImages:
    part = getattr(splits, name)
    found: LabeledImages = part.read_to_calibrate() if isinstance(part, CalibrationSplit) else part
    return found


@pytest.mark.parametrize("other", ["train", "tuning", "calibration"])
def test_equal_pixels_are_found_in_every_other_split(splits: Splits, other: str) -> None:
    part = part_of(splits, other)
    leaking = replace(splits, test=with_copy(splits.test, part.images[3].numpy()))
    found = overlap(find_copies(leaking), "test", other)
    assert (found.exact, found.near) == (1, 0)
    assert (found.examples[0].id, found.examples[0].of) == (splits.test.ids[0], part.ids[3])


@pytest.mark.parametrize("split", ["tuning", "calibration"])
def test_copies_into_tuning_and_calibration_are_found(splits: Splits, split: str) -> None:
    image = splits.train.images[5].numpy()
    copied = with_copy(part_of(splits, split), image)
    leaking = (
        replace(splits, tuning=copied)
        if split == "tuning"
        else replace(splits, calibration=CalibrationSplit(copied))
    )
    assert overlap(find_copies(leaking), split, "train").exact == 1


CHANGED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "stored as JPEG of quality 85": stored_anew,
    "stored as JPEG of quality 30": lambda image: stored_anew(image, 30),
    "brighter": lambda image: np.clip(image.astype(int) + 12, 0, 255).astype(np.uint8),
    "stored as JPEG of quality 50": lambda image: stored_anew(image, 50),
    "resized to 24 pixels and back": lambda image: resized(image, 24),
    "resized to 64 pixels and back": lambda image: resized(image, 64),
    "mirrored": lambda image: image[:, ::-1],
    "mirrored and stored": lambda image: stored_anew(image[:, ::-1], 50),
    "cropped by 1 pixel": lambda image: cropped(image, 1),
    "cropped by 2 pixels": lambda image: cropped(image, 2),
    "cropped by 3 pixels": lambda image: cropped(image, 3),
    "noisy": lambda image: np.clip(
        image + np.random.default_rng(0).normal(0, 8, image.shape), 0, 255
    ).astype(np.uint8),
}


@pytest.mark.parametrize("name", CHANGED)
def test_near_copies_are_found(splits: Splits, name: str) -> None:
    rows = range(0, len(splits.train), 20)
    found = 0
    for row in rows:
        image = splits.train.images[row].numpy()
        changed = with_copy(splits.test, CHANGED[name](image))
        alone = replace(splits, test=changed.take(torch.tensor([0])))
        of_train = overlap(find_copies(alone), "test", "train")
        assert of_train.exact == 0
        found += of_train.near
    assert found >= 0.8 * len(rows)


@pytest.mark.parametrize("split", ["tuning", "calibration"])
def test_near_copies_into_tuning_and_calibration_are_found(splits: Splits, split: str) -> None:
    found = 0
    for row in range(0, 100, 10):
        image = stored_anew(splits.train.images[row].numpy()[:, ::-1], 50)
        copied = with_copy(part_of(splits, split), image)
        leaking = (
            replace(splits, tuning=copied)
            if split == "tuning"
            else replace(splits, calibration=CalibrationSplit(copied))
        )
        found += overlap(find_copies(leaking), split, "train").near
    assert found >= 8


def drawn_alike(count: int, seed: int) -> LabeledImages:
    """One pattern, a little different each time: as like as coats are, and no copies."""
    pattern = np.kron(np.random.default_rng(0).uniform(40, 200, (8, 8)), np.ones((4, 4)))
    moved = np.random.default_rng(seed).normal(0, 8, (count, 16, 16))
    gray = np.clip(pattern + np.kron(moved, np.ones((1, 2, 2))), 0, 255).astype(np.uint8)
    images = torch.from_numpy(np.repeat(gray[..., None], 3, axis=3))
    ids = tuple(f"{seed}/{row}" for row in range(count))
    return LabeledImages(images, torch.zeros(count, dtype=torch.long), ids)


def test_classes_that_look_alike_are_a_crowd_and_no_copies() -> None:
    """Of Fashion-MNIST, two thirds of the test images were called copies of 3,000 others."""
    held = CalibrationSplit(drawn_alike(5, 3))
    splits = Splits(drawn_alike(400, 1), drawn_alike(5, 2), held, drawn_alike(40, 4))
    found = overlap(find_copies(splits), "test", "train")
    assert found.crowded is not None
    assert (found.exact, found.near, found.crowded) == (0, 0, 40)
    copied = replace(splits, test=with_copy(splits.test, splits.train.images[0].numpy()))
    assert overlap(find_copies(copied), "test", "train").exact == 1


def test_hashes_hardly_change_where_an_image_is_stored_anew(splits: Splits) -> None:
    images = splits.train.images[:100].numpy()
    anew = np.stack([stored_anew(image) for image in images])
    for made in (dhash, phash):
        own, theirs = made(images), made(anew)
        assert own.shape == (100, 64)
        same = (own != theirs).sum(axis=1)
        others = (own[:, None] != own[None]).sum(axis=2)[~np.eye(100, dtype=bool)]
        assert np.quantile(same, 0.9) <= 10 < np.quantile(others, 0.01)


@pytest.mark.parametrize("side", [4, 8, 9, 31])
def test_hashes_take_images_of_any_size(side: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8 if side == 4 else side, side, 3))
    assert dhash(images.astype(np.uint8)).shape == (3, 64)


def test_the_accuracy_with_and_without(splits: Splits) -> None:
    leaking = replace(splits, test=with_copy(splits.test, splits.train.images[0].numpy()))
    labels = splits.test.labels.numpy()
    probabilities = np.zeros((len(labels), 10), np.float32)
    probabilities[:, 0] = 1  # right for class 0 alone, of which the copy is
    test = Answers(np.zeros((len(labels), 2), np.float32), probabilities, labels, splits.test.ids)
    found = leaks(test, find_copies(leaking))
    assert found.test_copies == 1
    assert found.accuracy.value == pytest.approx(0.1)
    assert found.accuracy_on_copies is not None
    assert found.accuracy_without is not None
    assert found.accuracy_on_copies.value == 1.0
    assert found.accuracy_without.value == pytest.approx(9 / 99)
    whole = leaks(test, find_copies(splits))
    assert whole.accuracy_on_copies is None
    assert whole.accuracy_without == whole.accuracy
