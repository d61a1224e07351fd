"""CIFAR-10 (Krizhevsky 2009) in its original edition, by torchvision's own download."""

import hashlib
from pathlib import Path
from urllib.error import URLError

import torch
from torchvision.datasets import CIFAR10

from training.data.dataset import Dataset, LabeledImages
from training.errors import InvalidDataset


def load_cifar10(cache: Path) -> Dataset:
    """The 50,000 training and 10,000 test images, downloaded into `cache` once.

    Raises InvalidDataset where the download cannot be reached.
    """
    try:
        train, test = (CIFAR10(str(cache), train=part, download=True) for part in (True, False))
    except (URLError, OSError, RuntimeError) as error:
        raise InvalidDataset(
            f"CIFAR-10 could not be downloaded ({error}); give a folder instead: --data DIR "
            "with train/<class>/* and test/<class>/*"
        ) from error
    digest = hashlib.sha256(train.data.tobytes() + test.data.tobytes()).hexdigest()
    return Dataset(
        "cifar10",
        "original arrays",
        digest,
        tuple(train.classes),
        _labeled(train, "train"),
        _labeled(test, "test"),
    )


def _labeled(part: CIFAR10, name: str) -> LabeledImages:
    ids = tuple(f"{name}/{row:05d}" for row in range(len(part.targets)))
    return LabeledImages(torch.from_numpy(part.data), torch.tensor(part.targets), ids)
