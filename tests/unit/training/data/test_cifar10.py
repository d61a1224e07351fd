"""CIFAR-10's original edition, with torchvision's download replaced: tests have no network."""

from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from models.manifest import Preprocess
from training import data
from training.data import cifar10
from training.errors import InvalidDataset


class Downloaded(CIFAR10):  # type: ignore[misc]
    """torchvision's view of its files: four images for training, two for the test."""

    def __init__(self, root: str, *, train: bool, download: bool) -> None:
        count = 4 if train else 2
        pixels = np.arange(count * 32 * 32 * 3, dtype=np.uint32).astype(np.uint8)
        self.data = pixels.reshape(count, 32, 32, 3)
        self.targets = list(range(count))
        self.classes = ["airplane", "automobile", "bird", "cat"]


def test_the_download_becomes_a_data_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cifar10, "CIFAR10", Downloaded)
    dataset = data.load("cifar10", Preprocess(size_px=32), tmp_path)
    assert dataset.class_names == ("airplane", "automobile", "bird", "cat")
    assert dataset.train.images.shape == (4, 32, 32, 3)
    assert dataset.train.labels.tolist() == [0, 1, 2, 3]
    assert dataset.test.ids == ("test/00000", "test/00001")
    assert len(dataset.sha256) == 64


@pytest.mark.parametrize("error", [URLError("no route"), OSError("disk full"), RuntimeError("md5")])
def test_a_failed_download_says_what_else_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cifar10, "CIFAR10", fail)
    with pytest.raises(InvalidDataset, match=r"could not be downloaded .* --data DIR"):
        data.load("cifar10", Preprocess(size_px=32), tmp_path)
