"""The losses by name. A further one is a file beside these, a line here and a test."""

import inspect
from collections import ChainMap
from collections.abc import Mapping

from training.errors import InvalidRecipe
from training.losses.arcface import ArcFaceLoss
from training.losses.base import Loss
from training.losses.center import CenterLoss
from training.losses.cosface import CosFaceLoss
from training.losses.logitnorm import LogitNormLoss
from training.losses.normalized_softmax import NormalizedSoftmaxLoss
from training.losses.proxy_anchor import ProxyAnchorLoss
from training.losses.softmax import SoftmaxLoss
from training.losses.subcenter import SubCenterArcFaceLoss
from training.losses.supcon import SupConLoss
from training.losses.triplet import TripletLoss

LOSSES: dict[str, type[Loss]] = {
    "softmax": SoftmaxLoss,
    "center": CenterLoss,
    "cosface": CosFaceLoss,
    "arcface": ArcFaceLoss,
    "triplet": TripletLoss,
}
"""The losses of `--loss all` and of a comparison."""

FURTHER_LOSSES: dict[str, type[Loss]] = {
    "normalized-softmax": NormalizedSoftmaxLoss,
    "logitnorm": LogitNormLoss,
    "supcon": SupConLoss,
    "proxy-anchor": ProxyAnchorLoss,
    "subcenter-arcface": SubCenterArcFaceLoss,
}
"""Losses that are trained where they are named."""

ALL_LOSSES: Mapping[str, type[Loss]] = ChainMap(FURTHER_LOSSES, LOSSES)


def default_parameters(name: str) -> dict[str, float]:
    """The parameters that the named loss takes, at their defaults."""
    parameters = list(inspect.signature(ALL_LOSSES[name]).parameters.values())[2:]
    return {parameter.name: parameter.default for parameter in parameters}


def make_loss(
    name: str, classes: int, dimension: int, parameters: Mapping[str, float] | None = None
) -> Loss:
    """The named loss; raises InvalidRecipe where the name or a parameter is unknown."""
    if name not in ALL_LOSSES:
        raise InvalidRecipe(f"no loss {name!r}; available: {', '.join(ALL_LOSSES)}")
    given = dict(parameters or {})
    known = default_parameters(name)
    if unknown := sorted(set(given) - set(known)):
        accepted = ", ".join(known) or "no parameters"
        raise InvalidRecipe(f"{name} does not know {', '.join(unknown)}; it takes {accepted}")
    return ALL_LOSSES[name](classes, dimension, **given)
