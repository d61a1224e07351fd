"""The files that are embedded, their order, and their parts."""

import os
from pathlib import Path

from training.bulk.listing import chunked, count_files, list_parts


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_images_come_sorted_by_their_path_inside(tmp_path: Path) -> None:
    names = ["b.PNG", "a/2.jpg", "a/10.jpg", "a-b/1.webp", "a.bmp", "a0.gif", "a/deep/er/1.jpeg"]
    make(tmp_path, *names, "notes.txt", ".hidden.jpg", ".git/1.jpg")
    (part,) = list_parts(tmp_path, 100)
    assert [file.id for file in part.files] == sorted(names)
    assert count_files(tmp_path) == len(names)


def test_parts_are_numbered_and_of_one_size_but_for_the_last(tmp_path: Path) -> None:
    make(tmp_path, *(f"{i}.jpg" for i in range(5)))
    parts = list(list_parts(tmp_path, 2))
    assert [(part.number, len(part.files)) for part in parts] == [(0, 2), (1, 2), (2, 1)]


def test_a_part_has_another_digest_where_a_file_is_another(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg", "2.jpg")

    def digest() -> str:
        return next(list_parts(tmp_path, 9)).digest

    first = digest()
    assert digest() == first
    os.utime(tmp_path / "1.jpg", (1, 1))
    touched = digest()
    (tmp_path / "2.jpg").rename(tmp_path / "3.jpg")
    assert len({first, touched, digest()}) == 3


def test_a_link_to_nowhere_is_listed(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nothing")
    (part,) = list_parts(tmp_path, 9)
    assert [file.id for file in part.files] == ["gone.jpg"]


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path, "all/a/1.jpg", "elsewhere/2.jpg")
    (tmp_path / "all" / "a" / "loop.jpg").symlink_to(tmp_path)
    (tmp_path / "all" / "b").symlink_to(tmp_path / "elsewhere")
    (part,) = list_parts(tmp_path / "all", 9)
    assert [file.id for file in part.files] == ["a/1.jpg", "b/2.jpg"]


def test_chunks_are_taken_as_they_are_asked_for() -> None:
    source = iter(range(10))
    assert next(chunked(source, 3)) == (0, 1, 2)
    assert next(source) == 3
