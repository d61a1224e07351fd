"""A tiny data set and tiny runs of the real trainer, for the tests beside this file."""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from models.manifest import Preprocess
from training.checkpoints.weights import opened
from training.common.machine import Machine
from training.data.dataset import CalibrationSplit, Dataset, LabeledImages, Splits, split
from training.data.folder import load_folder
from training.loop.trainer import Trainer
from training.networks.build import make_backbone, make_trunk
from training.recipes.recipe import Recipe

SAMPLE = Path(__file__).parents[1] / "data" / "cifar10-sample"


@cache
def sample(cache_folder: Path) -> tuple[Dataset, Splits]:
    """The committed sample of CIFAR-10, split as the recipes split."""
    dataset = load_folder(SAMPLE, Preprocess(size_px=32), cache_folder)
    return dataset, split(dataset, holdout=0.1, seed=0)


def tiny_splits(size_px: int = 8) -> Splits:
    """Noise in four shades of gray, a class each: small enough to train on in a blink."""
    generator = torch.Generator().manual_seed(0)

    def part(count: int) -> LabeledImages:
        labels = torch.arange(count) % 4
        noise = torch.randint(0, 100, (count, size_px, size_px, 3), generator=generator)
        images = (noise + 50 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
        return LabeledImages(images, labels, tuple(f"image/{row}" for row in range(count)))

    return Splits(part(64), part(16), CalibrationSplit(part(16)), part(16))


def tiny_recipe(loss: str, **fields: object) -> Recipe:
    """Three epochs of four steps."""
    return Recipe.model_validate(
        {"loss": loss, "epochs": 3, "batch_size": 16, "size_px": 8, "embedding_size": 8} | fields
    )


def backbone_of(recipe: Recipe, images: Tensor) -> nn.Module:
    """The recipe's backbone with the first weights that it names."""
    return make_backbone(recipe, images, opened(recipe))


def trunk_of(recipe: Recipe) -> nn.Module:
    """The recipe's trunk with the first weights that it names."""
    return make_trunk(recipe, opened(recipe))


def tiny_trainer(loss: str, **fields: object) -> Trainer:
    """A trainer of `tiny_recipe` on `tiny_splits`, which gives the same on every processor."""
    recipe = tiny_recipe(loss, **fields)
    machine = Machine(torch.device("cpu"), precision="float32")
    return Trainer(recipe, tiny_splits(recipe.size_px), 4, machine)
