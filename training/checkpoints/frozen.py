"""The trunk of a frozen run, kept once in its folder; checkpoints hold only what learns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from training.checkpoints.run import RunFolder
from training.checkpoints.weights import opened
from training.data.dataset import Dataset
from training.data.features import embedded
from training.networks.build import make_trunk
from training.recipes.recipe import Recipe

_TRUNK = "trunk.pt"
_BACKBONE = "backbone."


def on_features(recipe: Recipe, dataset: Dataset, folder: RunFolder, cache: Path) -> Dataset:
    """The data set as the recipe's trunk sees it, and the trunk kept in the folder of the run.

    A run that has started keeps the trunk that it has. Raises InvalidWeights.
    """
    trunk = make_trunk(recipe, opened(recipe))
    if not folder.started:
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.save(folder.path / _TRUNK, trunk.state_dict())
    return embedded(dataset, trunk, recipe, cache)


def whole_state(folder: RunFolder, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The state of a run's embedder: where its trunk is frozen, with the trunk."""
    if not folder.record().recipe.frozen:
        return dict(state)
    trunk = folder.load(folder.path / _TRUNK)
    return {
        **{f"{_BACKBONE}trunk.{name}": value for name, value in trunk.items()},
        **{_placed(name): value for name, value in state.items()},
    }


def _placed(name: str) -> str:
    if not name.startswith(_BACKBONE):
        return name
    return f"{_BACKBONE}projection.{name.removeprefix(_BACKBONE)}"
