"""Data sets from folders: what is read, what is skipped, what the cache may answer."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.manifest import Preprocess
from models.preprocess import VERSION, preprocess
from training import data
from training.data import pixels
from training.data.dataset import Dataset
from training.data.inventory import Inventory
from training.errors import InvalidDataset

SAMPLE = Path(__file__).parents[3] / "data" / "cifar10-sample"
SPEC = Preprocess(size_px=32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of real photographs: ten for training and two for the test, each."""
    for part, count in (("train", 10), ("test", 2)):
        for name in ("cat", "ship"):
            target = tmp_path / "photos" / part / name
            target.mkdir(parents=True)
            for path in sorted((SAMPLE / part / name).iterdir())[:count]:
                shutil.copy(path, target)
    return tmp_path / "photos"


def load(root: Path, spec: Preprocess = SPEC) -> Dataset:
    return data.load(str(root), spec, root.parent / "cache")


def inventory(root: Path) -> Inventory:
    found = load(root).inventory
    assert found is not None
    return found


def test_images_labels_and_paths(root: Path) -> None:
    dataset = load(root)
    assert dataset.name == "photos"
    assert dataset.edition == "jpg"
    assert dataset.class_names == ("cat", "ship")
    assert dataset.train.labels.tolist() == [0] * 10 + [1] * 10
    names = [path.relative_to(root).as_posix() for path in sorted(root.glob("test/*/*"))]
    assert list(dataset.test.ids) == names
    for part in (dataset.train, dataset.test):
        for image, path in zip(part.images, part.ids, strict=True):
            assert np.array_equal(image.numpy(), preprocess((root / path).read_bytes(), SPEC))


def test_other_formats_are_read_and_other_files_are_counted(root: Path) -> None:
    first = sorted((root / "train/cat").iterdir())[0]
    with Image.open(first) as image:
        image.save(root / "train/cat/zzz.PNG")
    for name in ("notes.txt", "README", "a.tif", "._a.jpg", ".hidden/b.jpg"):
        path = root / "train/cat" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no image")
    dataset = load(root)
    assert dataset.train.ids[10] == "train/cat/zzz.PNG"
    assert torch.equal(dataset.train.images[10], dataset.train.images[0])
    assert dataset.edition == "jpg, png"
    assert len(dataset.train) == 21
    assert inventory(root).ignored == {".txt": 1, "no suffix": 1, ".tif": 1}


def test_images_in_folders_of_a_class_are_that_class_and_links_are_followed_once(
    root: Path,
) -> None:
    deep = root / "train/cat/2021/may"
    deep.mkdir(parents=True)
    (root / "train/cat/0001.jpg").rename(deep / "moved.jpg")
    (root / "train/cat/again").symlink_to(root / "train/cat")
    elsewhere = root.parent / "elsewhere"
    shutil.copytree(SAMPLE / "train/ship", elsewhere)
    (root / "train/ship/linked").symlink_to(elsewhere)
    dataset = load(root)
    assert "train/cat/2021/may/moved.jpg" in dataset.train.ids
    assert dataset.train.labels.bincount().tolist() == [10, 50]
    assert inventory(root).nested == ("train/cat", "train/ship")


def test_the_second_load_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(root)
    monkeypatch.setattr(pixels, "preprocess", lambda *_: pytest.fail("decoded again"))
    again = load(root)
    assert torch.equal(again.train.images, first.train.images)
    assert (again.train.ids, again.sha256) == (first.train.ids, first.sha256)


def test_a_changed_file_is_never_answered_from_the_cache(root: Path) -> None:
    first = load(root)
    shutil.copy(root / "train/ship/0002.jpg", root / "train/cat/0001.jpg")
    changed = load(root)
    assert changed.sha256 != first.sha256
    assert torch.equal(changed.train.images[1], changed.train.images[12])
    assert not torch.equal(changed.train.images[1], first.train.images[1])


def test_another_version_of_the_decoder_is_not_answered_from_the_cache(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(root)
    monkeypatch.setattr(pixels, "preprocess", lambda *_: np.full((32, 32, 3), 7, np.uint8))
    assert not torch.all(load(root).train.images == 7)
    monkeypatch.setattr(pixels, "VERSION", VERSION + 1)
    assert torch.all(load(root).train.images == 7)


def test_another_size_is_not_answered_from_the_cache(root: Path) -> None:
    assert load(root).train.images.shape == (20, 32, 32, 3)
    assert load(root, Preprocess(size_px=16)).train.images.shape == (20, 16, 16, 3)


def test_the_hash_depends_on_names_and_not_on_the_place(root: Path) -> None:
    expected = load(root).sha256
    moved = root.rename(root.with_name("moved"))
    assert load(moved).sha256 == expected
    (moved / "train/cat/0000.jpg").rename(moved / "train/cat/0999.jpg")
    assert load(moved).sha256 != expected


def test_the_same_bytes_in_train_and_test_and_in_two_classes_are_reported(root: Path) -> None:
    assert (inventory(root).leaks, inventory(root).contradictions) == ((), ())
    shutil.copy(root / "train/cat/0000.jpg", root / "test/cat/zzz.jpg")
    shutil.copy(root / "train/ship/0000.jpg", root / "train/cat/zzz.jpg")
    found = inventory(root)
    assert found.leaks == (("test/cat/zzz.jpg", "train/cat/0000.jpg"),)
    assert found.contradictions == (("train/cat/zzz.jpg", "train/ship/0000.jpg"),)
    text = "\n".join(found.lines())
    assert "test/cat/zzz.jpg = train/cat/0000.jpg" in text
    assert "in two classes" in text


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


def leave_nine(root: Path) -> None:
    for path in sorted((root / "train/cat").iterdir())[7:]:
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_all, r"there is no folder .*photos; expected train/<class>"),
        (remove_test, r"photos has train/, and expected .* --data .*photos/train"),
        (leave_one_class, r"1 class folders under train/; .* at least two"),
        (add_class, r"differ in classes \(only under train/: boat\)"),
        (empty_class, r"too few images in ship 10 \(10 to train, 0 to test\)"),
        (leave_nine, r"too few images in cat 9 \(7 to train, 2 to test\): a class needs 10"),
    ],
)
def test_a_folder_that_cannot_work_is_refused_with_the_reason(
    root: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(root)
    with pytest.raises(InvalidDataset, match=message):
        load(root)
    assert not list(root.parent.glob("cache/*"))
