"""Sources of a backbone's first weights: a file, a package, the hub, a run or a model."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Real
from torch import Tensor

from models.files import sha256_of
from training.checkpoints.lite0 import lite0_file, with_lite0
from training.checkpoints.published import is_published
from training.checkpoints.sources import open_source
from training.errors import InvalidRecipe, InvalidWeights
from training.networks.lite0 import LITE0, STATISTICS, by_timms_names
from training.networks.pretrained import Origin, Pretrained
from training.networks.timm_model import PREFIX, config, own_size_px
from training.recipes.recipe import Recipe

RANDOM = "random"
HUB = "hub"
SUFFIXES = (".safetensors", ".pth", ".pt")
_HUB_FILE = "model.safetensors"
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")  # of timm's checkpoints


def pinned(recipe: Recipe) -> Recipe:
    """The recipe with the sha256 of the weights that it names, and their input size if it has none.

    Raises InvalidWeights where there are no such weights, or others than the recipe was made with.
    """
    if recipe.weights == RANDOM:
        if recipe.frozen:
            raise InvalidRecipe(
                "a frozen backbone needs weights: --weights FILE or hub, or --trunk RUN_FOLDER"
            )
        return recipe.varied(first_weights=None) if recipe.first_weights else recipe
    if recipe.weights == LITE0:
        fixed = with_lite0(recipe)
        _checked(fixed)
        return fixed
    fields: dict[str, object] = {"weights_sha256": _sha256(_checked(recipe))}
    if "size_px" not in recipe.model_fields_set:
        fields["size_px"] = _own_size_px(recipe)
    start = open_source(Path(recipe.weights)) if _from_folder(recipe) else None
    fields["first_weights"] = start and start.first_weights
    return recipe.varied(**fields)


def _own_size_px(recipe: Recipe) -> int:
    if _from_folder(recipe):
        return open_source(Path(recipe.weights)).size_px
    return own_size_px(recipe.backbone)


def frozen_trunk(path: Path) -> dict[str, object]:
    """The fields of a recipe that freezes the backbone of an earlier run or published model.

    Raises InvalidWeights where there is none in the folder.
    """
    return {**open_source(path).shape, "weights": str(path), "frozen": True}


def classes_seen(recipe: Recipe) -> frozenset[str]:
    """Of the classes that the recipe leaves out, those that its first weights were trained on.

    None are known where the weights come from a file or the hub.
    """
    if not _from_folder(recipe):
        return frozenset()
    return open_source(Path(recipe.weights)).seen(recipe.leave_out)


def opened(recipe: Recipe) -> Pretrained:
    """The first weights that the recipe names, read and checked.

    Raises InvalidWeights where there are none, or others than the recipe was made with.
    """
    if recipe.weights == RANDOM:
        return Pretrained.random()
    if not _from_folder(recipe):
        state = _read(_checked(recipe))
        if recipe.weights == LITE0:
            return Pretrained("file", by_timms_names(state), {}, STATISTICS)
        return Pretrained("file", state, {})
    path = Path(recipe.weights)
    start = open_source(path)
    _check(recipe, start.file)
    origin: Origin = "model" if is_published(path) else "run"
    return Pretrained(origin, start.state(), start.shape)


def opened_for(recipe: Recipe, train_images: Real[Tensor, "n ..."]) -> Pretrained:
    """The same for a training on these; features of a frozen trunk need none.

    Raises InvalidWeights as `opened` does.
    """
    return opened(recipe) if train_images.ndim == 4 else Pretrained.random()


def _from_folder(recipe: Recipe) -> bool:
    """Return whether the weights are those of an earlier run or a published model."""
    return recipe.weights not in (RANDOM, HUB, LITE0) and Path(recipe.weights).is_dir()


def _checked(recipe: Recipe) -> Path:
    """The file that the weights are in. Raises InvalidWeights where it is not the expected one."""
    path = _located(recipe)
    _check(recipe, path)
    return path


def _check(recipe: Recipe, path: Path) -> None:
    if recipe.weights_sha256 and (found := _sha256(path)) != recipe.weights_sha256:
        raise InvalidWeights(
            f"{recipe.weights} has changed: its sha256 is {found}, the recipe was made "
            f"with {recipe.weights_sha256}"
        )


def _located(recipe: Recipe) -> Path:
    path = Path(recipe.weights)
    if _from_folder(recipe):
        return open_source(path).file
    if recipe.weights == LITE0:
        return lite0_file(recipe.backbone)
    if not recipe.backbone.startswith(PREFIX):
        raise InvalidWeights(
            f"weights for {recipe.backbone} can only come from the folder of a run or of a "
            f"published model, as models/registry/NAME/1; {path} is neither"
        )
    if recipe.weights == HUB:
        return _from_hub(recipe.backbone)
    if path.suffix not in SUFFIXES or not path.is_file():
        raise InvalidWeights(
            f"there are no weights {path}; give lite0, hub, a file ({', '.join(SUFFIXES)}) or the "
            "folder of a run or of a published model"
        )
    return path


def _from_hub(backbone: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    known = config(backbone)
    if not known.hf_hub_id:
        raise InvalidWeights(f"the hub has no weights for {backbone}; give a file: --weights FILE")
    name = known.hf_hub_filename or _HUB_FILE
    try:
        return Path(hf_hub_download(known.hf_hub_id, name))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise InvalidWeights(
            f"the Hugging Face hub gave no {name} of {known.hf_hub_id}, and it is not in the local "
            "cache; where there is a network, download that file, then: --weights FILE"
        ) from error


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        state = _parsed(path)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise InvalidWeights(
            f"{path} holds something else than tensors and plain values, which alone are read"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
            break
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InvalidWeights(f"{path} is not a model's state: a dictionary of tensors by name")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _parsed(path: Path) -> object:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
    return torch.load(path, map_location="cpu", weights_only=True)


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise InvalidWeights(f"{path} is missing; train that run first: python -m training fit")
    return sha256_of(path)
