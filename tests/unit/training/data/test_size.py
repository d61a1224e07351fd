"""The input size that a folder's images suggest."""

from pathlib import Path

import pytest
from PIL import Image

from training import data

SAMPLE = Path(__file__).parents[3] / "data" / "cifar10-sample"


def images(root: Path, *sizes: tuple[int, int]) -> str:
    for name in ("a", "b"):
        (root / name).mkdir()
        for number, size in enumerate(sizes):
            Image.new("L", size).save(root / name / f"{number}.png")
    return str(root)


def test_cifar10_keeps_its_own_size() -> None:
    assert data.choose_size_px("cifar10", "compact") == 32
    assert data.choose_size_px(str(SAMPLE), "compact") == 32


@pytest.mark.parametrize(
    ("sizes", "small", "large"),
    [
        ([(28, 28)], 28, 28),
        ([(50, 31), (31, 90)], 28, 28),
        ([(10, 9)], 16, 16),
        ([(640, 480)], 64, 224),
        ([(200, 150)], 64, 128),
        ([(40, 40), (44, 44), (900, 900)], 44, 44),
    ],
)
def test_the_median_shorter_side_rounded_down(
    tmp_path: Path, sizes: list[tuple[int, int]], small: int, large: int
) -> None:
    root = images(tmp_path, *sizes)
    assert data.choose_size_px(root, "airbench") == small
    assert data.choose_size_px(root, "resnet18") == large


def test_broken_files_are_not_measured(tmp_path: Path) -> None:
    root = images(tmp_path, (40, 40))
    (tmp_path / "a" / "x.png").write_bytes(b"broken")
    assert data.choose_size_px(root, "compact") == 40
