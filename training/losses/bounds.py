"""Bounds of scale and margin for C classes in d dimensions (CosFace, section 3.4)."""

import math

from scipy.special import betaincinv

from training.errors import InvalidRecipe

REACHABLE_PROBABILITY = 0.99


def smallest_scale(classes: int, probability: float) -> float:
    """The scale s below which no cosine softmax over `classes` can reach `probability`.

    Source: Wang et al., CosFace, arXiv 1801.09414, equation 6:
    s >= (C - 1)/C * ln((C - 1) P / (1 - P)).
    """
    ratio = (classes - 1) * probability / (1 - probability)
    return (classes - 1) / classes * math.log(ratio)


def largest_separation_rad(classes: int, dimension: int) -> float:
    """An upper bound on the smallest angle between `classes` directions in `dimension` dimensions.

    Exact on the circle, for a simplex (C <= d + 1) and up to C = 2d. Beyond that more classes
    cannot exceed 90 degrees (Rankin 1955), nor can C caps of half the angle cover more than the
    sphere: a cap of angle a is I(sin(a)^2; (d - 1)/2, 1/2) / 2 of it (Li 2011).
    """
    if classes <= dimension + 1:
        return math.acos(-1 / (classes - 1))
    if dimension == 1:
        return 0.0
    half = math.asin(math.sqrt(betaincinv((dimension - 1) / 2, 0.5, 2 / classes)))
    return 2 * half if dimension == 2 else min(math.pi / 2, 2 * half)


def check_scale(scale: float, classes: int) -> None:
    """Refuse a scale that cannot reach a probability of 0.99. Raises InvalidRecipe."""
    least = smallest_scale(classes, REACHABLE_PROBABILITY)
    if scale < least:
        raise InvalidRecipe(
            f"scale {scale:g} cannot reach a probability of {REACHABLE_PROBABILITY} with "
            f"{classes} classes: it must be at least {least:.2f}"
        )


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a parameter outside `low`..`high`. Raises InvalidRecipe naming it."""
    if not low <= value <= high:
        raise InvalidRecipe(f"{name} {value:g} is not in {low:g} to {high:g}")


def check_margin(margin: float, largest: float, classes: int, dimension: int) -> None:
    """Refuse a margin outside 0..`largest`, in the loss's own unit. Raises InvalidRecipe."""
    if not 0 <= margin <= largest:
        raise InvalidRecipe(
            f"margin {margin:g} is infeasible: {classes} classes in {dimension} dimensions "
            f"allow 0 to {largest:.3f}"
        )
