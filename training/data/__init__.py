"""Data sets by name or folder."""

from pathlib import Path

from models.manifest import Preprocess
from training.data.dataset import Dataset, Splits, split
from training.recipes.recipe import Recipe

CIFAR10 = "cifar10"
CIFAR10_PX = 32


def load(source: str, spec: Preprocess, cache: Path) -> Dataset:
    """The data set that `--data` names: `cifar10`, or a folder of class folders.

    Raises InvalidDataset where it is missing or not laid out as expected.
    """
    if source == CIFAR10:
        from training.data.cifar10 import load_cifar10  # torchvision: only where it is used

        return load_cifar10(cache)
    from training.data.folder import load_folder

    return load_folder(Path(source), spec, cache)


def choose_size_px(source: str, backbone: str) -> int:
    """The input size that suits what `--data` names and the backbone.

    Raises InvalidDataset where it is missing or not laid out as expected.
    """
    if source == CIFAR10:
        return CIFAR10_PX
    from training.data.size import choose_size_px as of_folder

    return of_folder(Path(source), backbone)


def prepare(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Splits]:
    """The classes that the recipe trains on, and who may see which of their images."""
    if recipe.leave_out:
        dataset, _ = dataset.leave_out(recipe.leave_out)
    return dataset, split(dataset, recipe.holdout, recipe.seed)
