"""Backbones of the timm library, by `timm:<name>`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from training.errors import InvalidRecipe, InvalidWeights
from training.networks.pretrained import Statistics
from training.recipes.recipe import Recipe

PREFIX = "timm:"
_REFUSALS = (RuntimeError, AssertionError, ValueError, TypeError, IndexError, ZeroDivisionError)
"""The errors of timm's models for sizes that they cannot take, and for states of other models."""

State = Mapping[str, Tensor]


class TimmModel(nn.Sequential):
    """A timm model without its classifier, and a linear layer from its features to embeddings."""


def config(backbone: str) -> Any:
    """Read timm's facts of the model: its mean, deviation and input size, and its weights' place.

    Raises InvalidRecipe where there is no such model, with the names that come near.
    """
    import timm  # two seconds, spent only where it is used

    name = backbone.removeprefix(PREFIX)
    if ":" in name or "/" in name or not timm.is_model(name):
        raise InvalidRecipe(f"timm {timm.__version__} has no model {name!r}{_near(name)}")
    try:
        found = timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = timm.list_models(f"{name.split('.')[0]}.*", pretrained=True)
        known = ", ".join(tags) or "none"
        raise InvalidRecipe(
            f"timm's {name.split('.')[0]} has no weights tagged {name.split('.')[1]!r}; available: "
            f"{known}"
        ) from error
    if found is None:
        raise InvalidRecipe(f"timm describes no input for {name!r}; take another model")
    return found


def _near(name: str) -> str:
    import timm

    close = get_close_matches(name.split(".")[0], timm.list_models(), n=5)
    return f"; near it are: {', '.join(close)}" if close else "; `timm.list_models()` names them"


def own_size_px(backbone: str) -> int:
    """Height and width of the images that the model's weights were trained with."""
    return int(config(backbone).input_size[1])


def own_statistics(backbone: str) -> Statistics:
    """Mean and deviation of the images that the model's weights were trained with, of 255."""
    known = config(backbone)
    mean, std = ([255.0 * value for value in values] for values in (known.mean, known.std))
    return mean, std


def blank_state(backbone: str) -> State:
    """The model's tensors as it draws them, its classifier among them, in its order."""
    import timm

    state: State = timm.create_model(backbone.removeprefix(PREFIX)).state_dict()
    return state


def make_timm(recipe: Recipe, state: State | None) -> TimmModel:
    """The model with these weights, or random ones, and a random linear layer after it.

    It takes normalized images [b, 3, s, s] of `seen_px`. Raises InvalidRecipe where it cannot take
    them, InvalidWeights where `state` is not of this model.
    """
    known = config(recipe.backbone)
    # Models that fix their size, transformers mostly, are given it; the others have no such option.
    size: dict[str, Any] = {"img_size": recipe.seen_px} if known.fixed_input_size else {}
    blank = _created(recipe, size)
    features = _feature_count(recipe, blank)
    model = blank if state is None else _filled(recipe, size, known, state)
    return TimmModel(model, nn.Linear(features, recipe.embedding_size))


def _created(recipe: Recipe, size: dict[str, Any]) -> nn.Module:
    import timm

    name = recipe.backbone.removeprefix(PREFIX)
    try:
        return timm.create_model(name, num_classes=0, in_chans=3, **size)
    except _REFUSALS as error:
        raise _refused(recipe, error) from error


def _feature_count(recipe: Recipe, model: nn.Module) -> int:
    shape = (1, 3, recipe.seen_px, recipe.seen_px)
    try:
        with torch.no_grad():
            found = model.eval()(torch.zeros(shape))
    except _REFUSALS as error:
        raise _refused(recipe, error) from error
    model.train()
    if found.ndim != 2 or found.shape[1] == 0:
        raise InvalidRecipe(f"{recipe.backbone} gives no vector for an image, but {found.shape}")
    return int(found.shape[1])


def _refused(recipe: Recipe, error: Exception) -> InvalidRecipe:
    return InvalidRecipe(
        f"{recipe.backbone} cannot take images of {recipe.seen_px} px ({error}); its own size is "
        f"--size-px {own_size_px(recipe.backbone)}"
    )


def _filled(recipe: Recipe, size: dict[str, Any], known: Any, state: State) -> nn.Module:
    """The model with every weight from `state`, whose classifier is dropped where it has one."""
    import timm

    classes = _classes(state, known)
    overlay = {"state_dict": dict(state), "custom_load": False, "num_classes": classes}
    name = recipe.backbone.removeprefix(PREFIX)
    try:
        # As many classes as the file has, so that timm insists on every tensor.
        model: Any = timm.create_model(
            name,
            pretrained=True,
            pretrained_cfg_overlay=overlay,
            num_classes=classes,
            in_chans=3,
            **size,
        )
        model.reset_classifier(0)  # every timm model has it
    except (*_REFUSALS, KeyError) as error:
        first = str(error).splitlines()[:3]
        raise InvalidWeights(
            f"{recipe.weights} does not fit {recipe.backbone}: {' '.join(first)}"
        ) from error
    filled: nn.Module = model
    return filled


def _classes(state: State, known: Any) -> int:
    classifier = known.classifier
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
    for name in names:
        if f"{name}.weight" in state:
            return len(state[f"{name}.weight"])
    return 0
