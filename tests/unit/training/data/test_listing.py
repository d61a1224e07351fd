"""`DIR/<class>` split here: stratified, by ids and seed alone; and which layouts are which."""

from pathlib import Path

import pytest

from training.data import listing
from training.data.listing import Listing, list_folder
from training.errors import InvalidDataset


def make(root: Path, **counts: int) -> Path:
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.jpg").touch()
    return root


def test_a_fifth_of_each_class_is_drawn_and_nothing_is_lost(tmp_path: Path) -> None:
    found = list_folder(make(tmp_path, ant=10, bee=101, cat=3))
    assert found.class_names == ("ant", "bee", "cat")
    assert found.split
    assert [found.test.labels.count(label) for label in range(3)] == [2, 20, 1]
    assert [found.train.labels.count(label) for label in range(3)] == [8, 81, 2]
    assert len({*found.train.ids, *found.test.ids}) == 114
    for files in (found.train, found.test):
        for path, name, label in zip(files.paths, files.ids, files.labels, strict=True):
            assert path == tmp_path / name
            assert name.startswith(found.class_names[label])


def test_the_ids_and_the_seed_alone_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (list_folder(make(tmp_path / name, ant=50, bee=50)) for name in ("a", "b"))
    assert one.test.ids == other.test.ids
    (tmp_path / "b" / "wasp").mkdir()
    (tmp_path / "b" / "wasp" / "1.jpg").touch()
    more = list_folder(tmp_path / "b")
    assert set(one.test.ids) == {name for name in more.test.ids if not name.startswith("wasp")}
    monkeypatch.setattr(listing, "SPLIT_SEED", 1)
    assert list_folder(tmp_path / "a").test.ids != one.test.ids


def test_classes_may_be_called_train_or_anything(tmp_path: Path) -> None:
    found = list_folder(make(tmp_path, bus=10, train=10, **{"grüne Frösche": 10}))
    assert found.class_names == ("bus", "grüne Frösche", "train")


def test_what_lies_beside_train_and_test_is_left_alone(tmp_path: Path) -> None:
    for part in ("train", "test", "val"):
        make(tmp_path / part, ant=2, bee=2)
    found = list_folder(tmp_path)
    assert not found.split
    assert len(found.train.ids) + len(found.test.ids) == 8


def test_hidden_folders_and_archives_leftovers_are_no_classes(tmp_path: Path) -> None:
    make(tmp_path, ant=2, bee=2, **{".git": 1, "__MACOSX": 1})
    assert list_folder(tmp_path).class_names == ("ant", "bee")


def test_loose_images_are_counted(tmp_path: Path) -> None:
    make(tmp_path, ant=2, bee=2)
    (tmp_path / "loose.jpg").touch()
    found: Listing = list_folder(tmp_path)
    assert found.ignored == {"images outside the class folders": 1}


@pytest.mark.parametrize("folders", [(), ("ant",)])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, folders: tuple[str, ...]) -> None:
    make(tmp_path, **dict.fromkeys(folders, 3))
    with pytest.raises(InvalidDataset, match=f"has {len(folders)} class folders, at least two"):
        list_folder(tmp_path)
