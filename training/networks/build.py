"""Backbones by name: modules from uint8 images to embeddings."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Real, UInt8
from torch import Tensor, nn

from training.errors import InvalidRecipe, InvalidWeights
from training.networks.airbench import Airbench
from training.networks.compact import Compact
from training.networks.enlarge import Enlarge
from training.networks.folding import restore_statistics, unfolded
from training.networks.normalize import SMOOTHING, Normalize
from training.networks.pretrained import Pretrained, Statistics
from training.networks.projection import FeatureProjection, FrozenBackbone
from training.networks.timm_model import PREFIX, make_timm, own_statistics
from training.recipes.recipe import Recipe

BACKBONES: Mapping[str, Callable[..., nn.Module]] = {"airbench": Airbench, "compact": Compact}
ANY_SIZE = frozenset({"airbench"})
"""Backbones whose weights fit images of every size."""
ANY_DEPTH = frozenset({"airbench"})
"""Backbones whose blocks can have more convolutions or fewer."""
_SAMPLE = 5000


def make_backbone(
    recipe: Recipe, train_images: Real[Tensor, "n ..."], pretrained: Pretrained
) -> nn.Module:
    """The recipe's backbone, from uint8 [b, h, w, 3] to float embeddings [b, d].

    Its weights are `pretrained` alone, whatever the recipe names.

    It normalizes images first, by the statistics that its weights were trained with, and those of
    the training images where they are random. A frozen one only trains a projection, and where
    the training images are features already (`training.data.features`), it is that projection.
    Raises InvalidRecipe, InvalidWeights.
    """
    if train_images.ndim != 4:
        return FeatureProjection.fitted(train_images, recipe.embedding_size)
    if not recipe.frozen:
        return _trainable(recipe, train_images, pretrained)
    trunk = _whole(recipe, train_images, pretrained)
    return FrozenBackbone(trunk, FeatureProjection(cut(trunk), recipe.embedding_size))


def make_trunk(recipe: Recipe, pretrained: Pretrained) -> nn.Module:
    """Build the recipe's backbone without its last linear layer, with its weights.

    Takes uint8 [b, h, w, 3], gives features [b, f]. Raises InvalidRecipe, InvalidWeights.
    """
    unseen = torch.zeros(2, recipe.size_px, recipe.size_px, 3, dtype=torch.uint8)
    trunk = _whole(recipe, unseen, pretrained)
    cut(trunk)
    return trunk.eval()


def _trainable(
    recipe: Recipe, train_images: UInt8[Tensor, "n h w 3"], pretrained: Pretrained
) -> nn.Module:
    backbone = _whole(recipe, train_images, pretrained)
    if pretrained.origin == "model":
        restore_statistics(backbone, _sampled(train_images))
    return backbone


def _whole(
    recipe: Recipe, train_images: UInt8[Tensor, "n h w 3"], pretrained: Pretrained
) -> nn.Module:
    if recipe.early_px and recipe.backbone not in ANY_SIZE:
        raise InvalidRecipe(f"{recipe.backbone} takes images of one size; leave out early_px")
    sample = _sampled(train_images)
    if recipe.backbone.startswith(PREFIX):
        return _timm(recipe, sample, pretrained)
    if recipe.seen_px != recipe.size_px:
        raise InvalidRecipe(
            f"enlarged_px is for {PREFIX}NAME (got {recipe.enlarged_px} for {recipe.backbone}); "
            "leave it out"
        )
    normalize = Normalize(*_statistics(sample), smooth_chroma=recipe.smooth_chroma)
    backbone = nn.Sequential(normalize, _named(recipe))
    if pretrained.origin != "random":
        _load_all_but_the_last_layer(backbone, recipe, pretrained)
    elif isinstance(backbone[1], Airbench):
        with torch.no_grad():
            backbone[1].fit_whitening(normalize(sample), recipe.whitening_floor)
    return backbone


def _named(recipe: Recipe) -> nn.Module:
    if recipe.backbone not in BACKBONES:
        names = ", ".join([*BACKBONES, f"{PREFIX}<name>"])
        raise InvalidRecipe(f"no backbone {recipe.backbone!r}; available: {names}")
    if recipe.depth and recipe.backbone not in ANY_DEPTH:
        raise InvalidRecipe(f"{recipe.backbone} has one depth; leave out depth")
    asked = {"widths": recipe.widths, "depth": recipe.depth}
    shape = {name: value for name, value in asked.items() if value}
    return BACKBONES[recipe.backbone](recipe.embedding_size, recipe.size_px, **shape)


def _timm(recipe: Recipe, sample: UInt8[Tensor, "m h w 3"], pretrained: Pretrained) -> nn.Module:
    if recipe.widths or recipe.depth:
        raise InvalidRecipe(
            f"{recipe.backbone} has widths and a depth of its own; leave out widths and depth"
        )
    own = pretrained.origin == "file"
    mean, std = _known_statistics(recipe, pretrained) if own else _statistics(sample)
    enlarges = recipe.seen_px != recipe.size_px
    enlarge = Enlarge(recipe.size_px, recipe.seen_px) if enlarges else None
    normalize = Normalize(mean, std, smooth_chroma=recipe.smooth_chroma, enlarge=enlarge)
    if own:
        return nn.Sequential(normalize, make_timm(recipe, pretrained.state))
    backbone = nn.Sequential(normalize, make_timm(recipe, None))
    if pretrained.of_a_backbone:
        _load_all_but_the_last_layer(backbone, recipe, pretrained)
    return backbone


def _known_statistics(recipe: Recipe, pretrained: Pretrained) -> Statistics:
    return pretrained.statistics or own_statistics(recipe.backbone)


def _load_all_but_the_last_layer(
    backbone: nn.Module, recipe: Recipe, pretrained: Pretrained
) -> None:
    """Give a new backbone the weights of a run's or a model's, except the layer to the embedding.

    A recipe that smooths chroma may start from one that did not: the kernel is a constant.
    Raises InvalidWeights where that has another backbone.
    """
    name, _ = last_linear(backbone)
    not_loaded = (f"{name}.", f"0.{SMOOTHING}")
    own = {key for key in backbone.state_dict() if key.startswith(not_loaded)}
    found = unfolded(backbone, pretrained.state)
    state = {key: value for key, value in found.items() if key not in own}
    try:
        left = backbone.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise _other_backbone(recipe, pretrained, str(error).splitlines()[-1].strip()) from error
    if odd := [*left.unexpected_keys, *sorted(set(left.missing_keys) - own)]:
        raise _other_backbone(recipe, pretrained, f"of one of them alone is {odd[0]}")


def _other_backbone(recipe: Recipe, pretrained: Pretrained, reason: str) -> InvalidWeights:
    has = ", ".join(f"{field}={value}" for field, value in pretrained.shape.items() if value)
    return InvalidWeights(
        f"what is in {recipe.weights} has another backbone than {recipe.backbone} at "
        f"{recipe.size_px} px: {reason}; it has {has}"
    )


def _sampled(train_images: UInt8[Tensor, "n h w 3"]) -> UInt8[Tensor, "m h w 3"]:
    return train_images[:: max(1, len(train_images) // _SAMPLE)]


def _statistics(sample: UInt8[Tensor, "n h w 3"]) -> Statistics:
    values = sample.double()
    mean, std = values.mean(dim=(0, 1, 2)), values.std(dim=(0, 1, 2))
    return mean.tolist(), std.clamp(min=1.0).tolist()


def last_linear(backbone: nn.Module) -> tuple[str, nn.Linear]:
    """The layer that makes embeddings of features, with which every backbone here ends."""
    name, layer = [
        (name, module) for name, module in backbone.named_modules() if isinstance(module, nn.Linear)
    ][-1]
    return name, layer


def cut(backbone: nn.Module) -> int:
    """Take the last linear layer out, so that the backbone gives features; how many there are."""
    name, layer = last_linear(backbone)
    backbone.set_submodule(name, nn.Identity())
    return layer.in_features
