"""The input size of a recipe: as given, as the recipe says, else by the images."""

from argparse import Namespace
from pathlib import Path

import pytest
from PIL import Image

from training.cli.options import recipe

GIVEN = {
    "epochs": None,
    "batch_size": None,
    "learning_rate": None,
    "embedding_size": None,
    "size_px": None,
    "seed": None,
    "backbone": None,
    "weights": None,
    "frozen": None,
    "views": None,
    "trunk": None,
    "teacher": None,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of 48 x 60 pixels."""
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("RGB", (48, 60)).save(tmp_path / "data" / name / "1.png")
    return tmp_path / "data"


def options(folder: Path, written: str | None = None, **given: object) -> Namespace:
    path = None
    if written is not None:
        path = folder.parent / "recipe.toml"
        path.write_text(written)
    return Namespace(**(GIVEN | {"data": str(folder), "recipe": path} | given))


def test_by_the_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for loss in ("softmax", "triplet"):
        assert recipe(options(folder), loss).size_px == 48
    assert capsys.readouterr().out.count("48 x 48 px") == 1  # said once, whatever the losses


def test_the_recipe_and_the_command_line_come_first(folder: Path) -> None:
    assert recipe(options(folder, "size_px = 20"), "softmax").size_px == 20
    assert recipe(options(folder, "size_px = 20", size_px=24), "softmax").size_px == 24
    assert recipe(options(folder, size_px=32), "softmax").size_px == 32


def test_cifar10_and_images_of_its_size_change_nothing_in_a_recipe(folder: Path) -> None:
    written = 'backbone = "airbench"\nearly_px = 24'
    cifar = recipe(options(folder, written, data="cifar10"), "softmax")
    assert (cifar.size_px, cifar.early_px) == (32, 24)


def test_early_images_and_cutout_keep_their_share_of_the_size(folder: Path) -> None:
    written = 'backbone = "airbench"\nearly_px = 24\ncutout_px = 12'
    found = recipe(options(folder, written), "softmax")
    assert (found.size_px, found.early_px, found.cutout_px) == (48, 36, 18)


def test_a_recipe_with_teachers_takes_its_size_from_the_images_too(folder: Path) -> None:
    teacher = folder.parent / "run"
    teacher.mkdir()
    (teacher / "checkpoint.pt").write_bytes(b"weights")
    chosen = recipe(options(folder, teacher=[str(teacher)]), "softmax")
    assert chosen.size_px == 48
    assert chosen.teachers == (str(teacher),)
    assert len(chosen.teachers_sha256) == 1
