"""Data sets from folders: what is read, what is refused, what the cache may answer."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.manifest import Preprocess
from models.preprocess import VERSION, preprocess
from training import data
from training.data import folder
from training.data.dataset import Dataset
from training.errors import InvalidDataset

SAMPLE = Path(__file__).parents[3] / "data" / "cifar10-sample"
SPEC = Preprocess(size_px=32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of real photographs: three for training and one for the test, each."""
    for part, count in (("train", 3), ("test", 1)):
        for name in ("cat", "ship"):
            target = tmp_path / "photos" / part / name
            target.mkdir(parents=True)
            for path in sorted((SAMPLE / part / name).iterdir())[:count]:
                shutil.copy(path, target)
    return tmp_path / "photos"


def load(root: Path, spec: Preprocess = SPEC) -> Dataset:
    return data.load(str(root), spec, root.parent / "cache")


def test_images_labels_and_paths(root: Path) -> None:
    dataset = load(root)
    assert dataset.name == "photos"
    assert dataset.edition == "jpg"
    assert dataset.class_names == ("cat", "ship")
    assert dataset.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.test.ids == ("test/cat/0000.jpg", "test/ship/0000.jpg")
    for part in (dataset.train, dataset.test):
        for image, path in zip(part.images, part.ids, strict=True):
            assert np.array_equal(image.numpy(), preprocess((root / path).read_bytes(), SPEC))


def test_other_formats_are_read_and_other_files_are_left_alone(root: Path) -> None:
    with Image.open(root / "train/cat/0000.jpg") as image:
        image.save(root / "train/cat/same.PNG")
    (root / "train/cat/notes.txt").write_text("a cat")
    dataset = load(root)
    assert dataset.train.ids[3] == "train/cat/same.PNG"
    assert torch.equal(dataset.train.images[3], dataset.train.images[0])
    assert dataset.edition == "jpg, png"
    assert len(dataset.train) == 7


def test_the_second_load_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(root)
    monkeypatch.setattr(folder, "preprocess", lambda *_: pytest.fail("decoded again"))
    again = load(root)
    assert torch.equal(again.train.images, first.train.images)
    assert (again.train.ids, again.sha256) == (first.train.ids, first.sha256)


def test_a_changed_file_is_never_answered_from_the_cache(root: Path) -> None:
    first = load(root)
    shutil.copy(root / "train/ship/0002.jpg", root / "train/cat/0001.jpg")
    changed = load(root)
    assert changed.sha256 != first.sha256
    assert torch.equal(changed.train.images[1], changed.train.images[5])
    assert not torch.equal(changed.train.images[1], first.train.images[1])


def test_another_version_of_the_decoder_is_not_answered_from_the_cache(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(root)
    monkeypatch.setattr(folder, "preprocess", lambda *_: np.full((32, 32, 3), 7, np.uint8))
    assert not torch.all(load(root).train.images == 7)
    monkeypatch.setattr(folder, "VERSION", VERSION + 1)
    assert torch.all(load(root).train.images == 7)


def test_another_size_is_not_answered_from_the_cache(root: Path) -> None:
    assert load(root).train.images.shape == (6, 32, 32, 3)
    assert load(root, Preprocess(size_px=16)).train.images.shape == (6, 16, 16, 3)


def test_the_hash_depends_on_names_and_not_on_the_place(root: Path) -> None:
    expected = load(root).sha256
    moved = root.rename(root.with_name("moved"))
    assert load(moved).sha256 == expected
    (moved / "train/cat/0000.jpg").rename(moved / "train/cat/0009.jpg")
    assert load(moved).sha256 != expected


def remove_all(root: Path) -> None:
    shutil.rmtree(root)


def remove_test(root: Path) -> None:
    shutil.rmtree(root / "test")


def leave_one_class(root: Path) -> None:
    shutil.rmtree(root / "train/ship")


def add_class(root: Path) -> None:
    shutil.copytree(root / "train/ship", root / "train/boat")


def empty_class(root: Path) -> None:
    for path in (root / "test/ship").iterdir():
        path.rename(path.with_suffix(".txt"))


def damage(root: Path) -> None:
    (root / "train/ship/0001.jpg").write_bytes(b"not an image")


def truncate(root: Path) -> None:
    path = root / "train/ship/0001.jpg"
    path.write_bytes(path.read_bytes()[:-200])


def break_link(root: Path) -> None:
    (root / "train/ship/0007.jpg").symlink_to(root / "nowhere.jpg")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_all, r"no folder .*train; expected train/ and test/"),
        (remove_test, r"no folder .*test; expected train/ and test/"),
        (leave_one_class, r"1 class folders .* at least two classes"),
        (add_class, r"differ in classes: boat"),
        (empty_class, r"test/ship has no image \(\.bmp, .*\.jpg"),
        (damage, r"train/ship/0001\.jpg: .*repair or remove"),
        (break_link, r"train/ship/0007\.jpg: No such file .*repair or remove"),
        (truncate, r"train/ship/0001\.jpg: .*repair or remove"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_and_leaves_no_cache(
    root: Path, spoil: object, message: str
) -> None:
    assert callable(spoil)
    spoil(root)
    with pytest.raises(InvalidDataset, match=message):
        load(root)
    assert not list(root.parent.glob("cache/*train*"))
