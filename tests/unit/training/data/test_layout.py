"""Folders that are parts of a data set, and folders that are classes."""

import unicodedata
from pathlib import Path

import pytest

from training.data.layout import find_layout
from training.data.listing import list_folder
from training.errors import InvalidDataset


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "1.jpg").touch()
    return root


@pytest.mark.parametrize(
    ("train", "test"),
    [("train", "test"), ("Train", "Test"), ("TRAIN", "testing"), ("Training", "Testing")],
)
def test_train_and_test_are_known_in_any_case(tmp_path: Path, train: str, test: str) -> None:
    make(tmp_path, f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog", "Validation/cat")
    found = list_folder(tmp_path)
    assert found.class_names == ("cat", "dog")
    assert not found.split
    assert found.train.ids == (f"{train}/cat/1.jpg", f"{train}/dog/1.jpg")
    assert found.test.ids == (f"{test}/cat/1.jpg", f"{test}/dog/1.jpg")


@pytest.mark.parametrize(
    "names",
    [
        ("Train/cat", "Train/dog", "Val/cat", "Val/dog"),
        ("TRAINING/cat", "TRAINING/dog"),
        ("Testing/cat", "Testing/dog", "valid/cat"),
        ("train/cat", "train/dog", "Train/cat", "Train/dog", "test/cat", "test/dog"),
        ("train/cat", "train/dog", "test/cat", "test/dog", "Testing/cat"),
        ("Train/cat", "Train/dog", "Test/cat", "Test/Dog"),
        ("Train/cat", "Test/cat"),
    ],
)
def test_half_of_a_layout_and_two_of_one_part_are_refused(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidDataset):
        find_layout(make(tmp_path, *names))


@pytest.mark.parametrize("names", [("Train", "bus"), ("testing", "training"), ("A", "a")])
def test_classes_may_be_called_so_where_no_layout_is_meant(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    if set(names) == {"testing", "training"}:
        with pytest.raises(InvalidDataset):  # images, but no classes, in both
            find_layout(make(tmp_path, *names))
    else:
        assert tuple(find_layout(make(tmp_path, *names)).train) == names


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def test_one_class_may_be_written_in_two_forms_of_unicode_in_train_and_test(tmp_path: Path) -> None:
    make(tmp_path, f"train/{COMPOSED}", "train/tea", f"test/{DECOMPOSED}", "test/tea")
    found = list_folder(tmp_path)
    assert found.class_names == (COMPOSED, "tea")
    assert (tmp_path / found.test.ids[0]).is_file()
    assert found.test.labels == found.train.labels == (0, 1)


def test_two_classes_that_look_the_same_are_refused(tmp_path: Path) -> None:
    make(tmp_path, COMPOSED, DECOMPOSED, "tea")
    with pytest.raises(InvalidDataset, match="two forms of Unicode"):
        find_layout(tmp_path)


def test_linked_classes_and_clutter_are_taken_as_every_command_takes_them(tmp_path: Path) -> None:
    make(tmp_path, "data/cat", "data/cat/@eaDir/1.jpg", "elsewhere", "data/@eaDir", "data/tea")
    (tmp_path / "data/dog").symlink_to(tmp_path / "elsewhere")
    found = list_folder(tmp_path / "data")
    assert found.class_names == ("cat", "dog", "tea")
    assert sorted((*found.train.ids, *found.test.ids)) == ["cat/1.jpg", "dog/1.jpg", "tea/1.jpg"]
