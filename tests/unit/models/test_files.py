"""One listing of images, with one set of rules, for the commands of all packages."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from models.files import SUFFIXES, SkippedFiles, folders, images, is_image


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def listed(folder: Path, passed: SkippedFiles | None = None) -> list[str]:
    found = list(images(folder, passed))
    for one in found:
        assert one.path == folder / one.id
    ids = [one.id for one in found]
    assert ids == sorted(ids)
    return ids


def test_images_are_known_by_their_suffix_in_any_case(tmp_path: Path) -> None:
    names = [f"a{suffix}" for suffix in SUFFIXES] + ["b.JPG", "c.tar.PnG", "d/e f/ü.webp"]
    make(tmp_path, *names, "notes.txt", "no-suffix", "jpg", ".jpg", "x.tiff", "y.jpg.part")
    passed = SkippedFiles()
    assert set(listed(tmp_path, passed)) == set(names)
    assert passed.suffixes == {".txt": 1, "no suffix": 2, ".tiff": 1, ".part": 1}
    assert passed.files == 5
    assert is_image("b.JPG")
    assert not is_image("._b.jpg")


def test_hidden_files_and_what_programs_leave_behind_are_passed_over(tmp_path: Path) -> None:
    make(
        tmp_path,
        "cat/1.jpg",
        "cat/._1.jpg",
        ".thumbnails/1.jpg",
        "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "__MACOSX/cat/1.jpg",
        "#recycle/2.jpg",
        "$RECYCLE.BIN/3.jpg",
    )
    passed = SkippedFiles()
    assert listed(tmp_path, passed) == ["cat/1.jpg"]
    assert sorted(passed.clutter) == ["#recycle", "$RECYCLE.BIN", "__MACOSX", "cat/@eaDir"]
    assert folders(tmp_path) == ("cat",)


def test_a_folder_may_be_called_like_an_image(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg/b.png", "a.jpg0.png", "a.jp/c.png", "a-b/d.png")
    assert listed(tmp_path) == ["a-b/d.png", "a.jp/c.png", "a.jpg/b.png", "a.jpg0.png"]


def test_linked_folders_and_files_are_listed(tmp_path: Path) -> None:
    make(tmp_path, "all/cat/1.jpg", "elsewhere/2.jpg", "elsewhere/deep/3.jpg", "one.jpg")
    (tmp_path / "all/dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "all/4.jpg").symlink_to(tmp_path / "one.jpg")
    (tmp_path / "root").symlink_to(tmp_path / "all")
    expected = ["4.jpg", "cat/1.jpg", "dog/2.jpg", "dog/deep/3.jpg"]
    assert listed(tmp_path / "all") == listed(tmp_path / "root") == expected


def test_no_folder_is_listed_twice_however_it_is_linked(tmp_path: Path) -> None:
    make(tmp_path, "all/cat/1.jpg", "out/x/2.jpg", "out/y/3.jpg")
    for name, target in {
        "all/again": "all/cat",
        "all/cat/up": "all",
        "all/cat/above": ".",
        "all/o": "out",
        "all/o2": "out/x",
        "out/x/other": "out/y",
        "out/y/other": "out/x",
        "out/y/in": "all",
    }.items():
        (tmp_path / name).symlink_to(tmp_path / target)
    passed = SkippedFiles()
    assert [Path(one).name for one in listed(tmp_path / "all", passed)] == [
        "1.jpg",
        "2.jpg",
        "3.jpg",
    ]
    assert {"again", "cat/up", "cat/above", "o2"} <= set(passed.links)


def test_many_folders_that_link_to_each_other_come_to_an_end(tmp_path: Path) -> None:
    for i in range(12):
        make(tmp_path, f"out/{i}/{i}.jpg")
    for i in range(12):
        for j in range(12):
            (tmp_path / f"out/{i}/to{j}").symlink_to(tmp_path / f"out/{j}")
    (tmp_path / "all").mkdir()
    (tmp_path / "all/in").symlink_to(tmp_path / "out/0")
    assert len(listed(tmp_path / "all")) == 12


def test_links_to_nowhere_are_listed_and_pipes_are_not(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    (tmp_path / "itself.jpg").symlink_to(tmp_path / "itself.jpg")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.jpg")  # whoever opened it would wait for ever
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "pipe.jpg")
    assert listed(tmp_path) == ["gone.jpg", "itself.jpg"]


def test_deep_folders_are_listed(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 1_500)  # deeper than Python may call itself
    place = tmp_path
    for name in deep.split("/"):
        place /= name
        place.mkdir()
    (place / "1.jpg").touch()
    try:
        assert listed(tmp_path) == [f"{deep}/1.jpg"]
    finally:  # shutil.rmtree calls itself for each level
        subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)


def test_a_name_that_is_not_utf8_is_listed(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).touch()
    assert listed(tmp_path) == ["\udcff.jpg"]


def test_a_folder_that_cannot_be_read_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "cat/1.jpg", "dog/1.jpg")
    scandir = os.scandir

    def guarded(path: str) -> Any:  # for root may read everything
        if path.endswith("dog"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(PermissionError):
        list(images(tmp_path))
