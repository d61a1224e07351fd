"""Fashion-MNIST's files to a folder; the real ones where Debian's package is installed."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.fashion_mnist import CLASSES, SOURCE, write_fashion_mnist
from training.data.listing import list_folder
from training.errors import InvalidDataset

_NAMES = ("train", "t10k")


def _idx(array: np.ndarray) -> bytes:
    head = np.array([0x800 | array.ndim, *array.shape], ">u4")
    return gzip.compress(head.tobytes() + array.tobytes())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twenty images a part, two of each class, every pixel the row's number."""
    folder = tmp_path / "source"
    folder.mkdir()
    labels = np.arange(20, dtype=np.uint8) % 10
    images = np.broadcast_to(np.arange(20, dtype=np.uint8)[:, None, None], (20, 28, 28))
    for name in _NAMES:
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(_idx(images))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(_idx(labels))
    return folder


def test_the_folder_is_a_data_set_with_every_pixel(source: Path, tmp_path: Path) -> None:
    written: list[int] = []
    write_fashion_mnist(source, tmp_path / "out", written.append)
    listing = list_folder(tmp_path / "out")
    assert listing.class_names == tuple(sorted(CLASSES))
    assert sum(written) == 40
    for files in (listing.train, listing.test):
        assert len(files.paths) == 20
        for path, label in zip(files.paths, files.labels, strict=True):
            row = int(path.stem)
            assert listing.class_names[label] == CLASSES[row % 10]
            with Image.open(path) as image:
                assert (np.asarray(image) == row).all()


@pytest.mark.parametrize("damage", ["missing", "cut", "not gzip", "other axes", "more labels"])
def test_damaged_files_are_refused(source: Path, tmp_path: Path, damage: str) -> None:
    labels, images = (source / f"train-{kind}-ubyte.gz" for kind in ("labels-idx1", "images-idx3"))
    match damage:
        case "missing":
            images.unlink()
        case "cut":
            images.write_bytes(gzip.compress(gzip.decompress(images.read_bytes())[:-1]))
        case "not gzip":
            images.write_bytes(b"<html>")
        case "other axes":
            labels.write_bytes(images.read_bytes())
        case _:
            labels.write_bytes(_idx(np.zeros(21, np.uint8)))
    with pytest.raises(InvalidDataset):
        write_fashion_mnist(source, tmp_path / "out", lambda _: None)
    assert not (tmp_path / "out").exists()


@pytest.mark.published
@pytest.mark.skipif(not SOURCE.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_real_files(tmp_path: Path) -> None:
    write_fashion_mnist(SOURCE, tmp_path / "out", lambda _: None)
    listing = list_folder(tmp_path / "out")
    assert np.bincount(listing.train.labels).tolist() == [6000] * 10
    assert np.bincount(listing.test.labels).tolist() == [1000] * 10
