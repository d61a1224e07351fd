"""A data set's features by a trunk, kept on disk: computed once for all losses and seeds."""

import hashlib
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from rich.progress import track
from torch import Tensor, nn

from models.atomic import replacing
from training.common import seeds
from training.data.augment import augmented
from training.data.dataset import Dataset, LabeledImages
from training.recipes.recipe import Recipe

_BATCH = 128


@dataclass(frozen=True)
class LabeledFeatures(LabeledImages):
    """Features in the place of images: `images[i, 0]` are image i's own, the rest of views of it.

    What trains on images trains on them, but for augmentation, which `drawn` replaces.
    """

    images: Float[Tensor, "n v f"]


def drawn(
    features: Float[Tensor, "n v f"], rows: Int64[Tensor, " b"], generator: torch.Generator
) -> Float[Tensor, "b 1 f"]:
    """The features at `rows`, each of a view drawn at random."""
    views = torch.randint(features.shape[1], (len(rows),), generator=generator)
    return features[rows, views].unsqueeze(1)


def embedded(dataset: Dataset, trunk: nn.Module, recipe: Recipe, cache: Path) -> Dataset:
    """The data set with features of its images, `recipe.views` of each training image.

    They are in float32 and kept in `cache`, under a hash of the trunk's weights, the data set, its
    preprocessing and what augments the views, so that another trunk or data set makes new ones.
    """
    key = _key(dataset, trunk, recipe)
    once = recipe.varied(views=1)
    return replace(
        dataset,
        train=_features(cache / f"{key}-train.npy", trunk, dataset.train, recipe),
        test=_features(cache / f"{key}-test.npy", trunk, dataset.test, once),
    )


def _key(dataset: Dataset, trunk: nn.Module, recipe: Recipe) -> str:
    facts = [
        recipe.backbone,
        version("timm"),
        fingerprint(trunk),
        dataset.sha256,
        recipe.preprocess.model_dump_json(),
        str(recipe.views),
    ]
    if recipe.views > 1:
        facts += [str(recipe.seed), str(recipe.padding_px), recipe.flip]
        facts += [str(recipe.warp), str(recipe.cutout_px)]
        added = {"noise_sd": recipe.noise_sd, "reencode": recipe.reencode}
        facts += [f"{name} {value}" for name, value in added.items() if value]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def fingerprint(module: nn.Module) -> str:
    """The sha256 of every tensor in the module's state, with names, types and shapes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _features(path: Path, trunk: nn.Module, part: LabeledImages, recipe: Recipe) -> LabeledFeatures:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        views = torch.stack([_view(trunk, part, recipe, view) for view in range(recipe.views)], 1)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, views.numpy())
    features = torch.from_numpy(np.load(path))
    return LabeledFeatures(features, part.labels, part.ids)


@torch.no_grad()
def _view(trunk: nn.Module, part: LabeledImages, recipe: Recipe, view: int) -> Float[Tensor, "n f"]:
    """The features of the images as they are in view 0, augmented in every other."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    trunk = trunk.eval().to(device)
    batches = torch.split(torch.arange(len(part)), _BATCH)
    description = f"embedding, view {view + 1} of {recipe.views}"
    found = [
        trunk(_shown(part.images, rows, recipe, view).to(device)).float().cpu()
        for rows in track(batches, description=description)
    ]
    trunk.cpu()
    return torch.cat(found)


def _shown(
    images: UInt8[Tensor, "n h w 3"], rows: Int64[Tensor, " b"], recipe: Recipe, view: int
) -> UInt8[Tensor, "b h w 3"]:
    if view == 0:
        return images[rows]
    random = seeds.generator(recipe.seed, view, int(rows[0]))
    return augmented(images, rows, recipe, view, random)
