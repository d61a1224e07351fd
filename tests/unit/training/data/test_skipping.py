"""Broken files: up to 1 % are skipped and listed, more are refused with the list."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.manifest import Preprocess
from tests.support.odd_folders import write_class
from training import data
from training.data.dataset import Dataset
from training.errors import InvalidDataset

SPEC = Preprocess(size_px=16)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """198 images of two classes."""
    root = tmp_path_factory.mktemp("data") / "pets"
    write_class(root / "frog", "frog", 99)
    write_class(root / "deer", "deer", 99)
    return root


@pytest.fixture
def root(healthy: Path, tmp_path: Path) -> Path:
    """The same folder by links, so that a test may spoil it."""
    for path in healthy.glob("*/*"):
        linked = tmp_path / "pets" / path.relative_to(healthy)
        linked.parent.mkdir(parents=True, exist_ok=True)
        linked.symlink_to(path)
    return tmp_path / "pets"


def load(root: Path) -> Dataset:
    return data.load(str(root), SPEC, root.parent / "cache")


def garbage(path: Path) -> None:
    path.write_bytes(b"not an image")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    whole = next(other for other in sorted(path.parent.glob("*.png")) if other != path)
    path.write_bytes(whole.read_bytes()[:-60])


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(garbage, "not a JPEG"), (empty, "empty"), (truncated, "truncated"), (dangling, "No such")],
)
def test_a_file_that_is_no_image_is_skipped_and_listed_with_the_reason(
    root: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(root / "frog" / "broken.png")
    for found in (load(root), load(root)):  # decoded, then from the cache
        assert len(found.train) + len(found.test) == 198
        assert "frog/broken.png" not in (*found.train.ids, *found.test.ids)
        assert found.inventory is not None
        (skipped,) = found.inventory.skipped
        assert skipped.id == "frog/broken.png"
        assert reason in skipped.reason
        assert sum(one.train + one.test for one in found.inventory.classes) == 198
        assert any("skipped 1 image" in line for line in found.inventory.lines())


def test_the_images_after_a_skipped_one_keep_their_pixels(root: Path) -> None:
    expected = load(root)
    garbage(root / "deer" / "0000a.png")
    found = load(root)
    for part, before in ((found.train, expected.train), (found.test, expected.test)):
        pixels = dict(zip(before.ids, before.images.numpy(), strict=True))
        for name, image in zip(part.ids, part.images.numpy(), strict=True):
            assert name not in pixels or (image == pixels[name]).all(), name


def test_two_in_200_are_skipped_and_three_in_201_refused_with_every_name(root: Path) -> None:
    for name in ("frog/b1.png", "deer/b2.jpg"):
        garbage(root / name)
    load(root)
    garbage(root / "deer/b3.jpg")
    with pytest.raises(
        InvalidDataset, match=r"3 of 201 image files \(1\.5%\).*repair or remove"
    ) as it:
        load(root)
    listed = (root.parent / "cache" / "skipped.txt").read_text()
    for name in ("frog/b1.png", "deer/b2.jpg", "deer/b3.jpg"):
        assert name in str(it.value)
        assert name in listed


def test_a_name_that_is_no_text_is_skipped(root: Path) -> None:
    (root / "frog" / "\udcff.png").symlink_to(root / "frog" / "0000.png")
    found = load(root).inventory
    assert found is not None
    assert [one.id for one in found.skipped] == ["frog/\\udcff.png"]
    assert found.model_dump_json()
