"""Glyphs: which fonts are taken and kept apart, with the fonts that matplotlib brings."""

import unicodedata
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from training.data.glyphs import (
    CHARACTERS,
    Face,
    class_name,
    find_faces,
    split_faces,
    write_glyphs,
)
from training.data.listing import list_folder
from training.errors import InvalidDataset, InvalidOutput

_FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"


def _faces(*names: str) -> list[Face]:
    return [Face(_FONTS / f"{name}.ttf", name.partition("-")[0], name) for name in names]


_THREE = _faces("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono")


def test_every_character_is_a_class_of_its_own() -> None:
    assert len(set(CHARACTERS)) == len(CHARACTERS) >= 200
    folders = {class_name(character) for character in CHARACTERS}
    assert len({folder.casefold() for folder in folders}) == len(CHARACTERS)
    assert all(folder.isascii() for folder in folders)
    assert not any(unicodedata.combining(character) for character in CHARACTERS)


def test_too_few_families_are_refused_with_their_number() -> None:
    with pytest.raises(InvalidDataset, match=r"at least 12 .*found 4 "):
        find_faces(_FONTS)


def test_a_broken_font_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"\x00\x01\x00\x00 and nothing that a font needs")
    (tmp_path / "empty.otf").touch()
    with pytest.raises(InvalidDataset, match="found 0 "):
        find_faces(tmp_path)


def test_designs_of_training_and_test_are_disjoint() -> None:
    parts = split_faces(_THREE)
    assert sorted(face.name for faces in parts.values() for face in faces) == sorted(
        face.name for face in _THREE
    )
    train, test = ({face.family for face in parts[part]} for part in ("train", "test"))
    assert train
    assert test
    assert not train & test


def test_a_copy_under_another_name_stays_with_its_design() -> None:
    copies = [Face(face.path, f"Copy of {face.family}", f"Copy of {face.name}") for face in _THREE]
    parts = split_faces([*_THREE, *copies])
    for faces in parts.values():
        names = {face.name for face in faces}
        assert {name.removeprefix("Copy of ") for name in names} <= names
        assert len(names) % 2 == 0


def test_the_split_does_not_hang_on_the_order_of_files() -> None:
    assert split_faces(_THREE) == split_faces(_THREE[::-1])


def test_the_folder_is_a_data_set(tmp_path: Path) -> None:
    drawn: list[int] = []
    out = tmp_path / "glyphs"
    write_glyphs({"train": _THREE[:2], "test": _THREE[2:]}, out, drawn.append)
    listing = list_folder(out)
    assert listing.class_names == tuple(sorted(map(class_name, CHARACTERS)))
    assert len(listing.train.paths) == len(listing.test.paths) == 2 * len(CHARACTERS)
    assert sum(drawn) == 4 * len(CHARACTERS)
    assert not listing.ignored
    with Image.open(listing.train.paths[0]) as image:
        assert image.size == (32, 32)
        assert np.ptp(np.asarray(image)) > 100
    with pytest.raises(InvalidOutput):
        write_glyphs({"train": [], "test": []}, out, drawn.append)


def test_nothing_is_left_of_a_folder_that_was_not_finished(tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_glyphs({"train": _THREE[:1], "test": []}, tmp_path / "glyphs", stop)
    assert not list(tmp_path.iterdir())
