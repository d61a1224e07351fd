"""The search space of tuning: the optimizer's settings and the loss's own parameters."""

import math
from collections.abc import Mapping

from training.losses import ALL_LOSSES, default_parameters
from training.losses.base import Range
from training.recipes.recipe import Recipe

OPTIMIZERS: Mapping[str, Mapping[str, Range]] = {
    "adamw": {
        "learning_rate": Range(2e-4, 2e-2, log=True),
        "weight_decay": Range(5e-3, 2.0, log=True),
    },
    "muon": {
        "learning_rate": Range(5e-4, 1e-2, log=True),
        "filter_learning_rate": Range(5e-2, 0.5, log=True),
        "weight_decay": Range(5e-3, 1.0, log=True),
    },
}

_OUTER = 0.1


def starting_values(recipe: Recipe) -> dict[str, float]:
    """Return the recipe's own values of everything that its search would change.

    A value of 0 switches something off, and stays: it has no place on a logarithmic scale.
    """
    own = default_parameters(recipe.loss) | recipe.parameters
    values = {name: float(getattr(recipe, name)) for name in OPTIMIZERS[recipe.optimizer]}
    values |= {name: own[name] for name in ALL_LOSSES[recipe.loss].search}
    return {name: value for name, value in values.items() if value > 0}


def search_space(recipe: Recipe, classes: int) -> dict[str, Range]:
    """Every value that is searched and its range, which always holds the recipe's own value."""
    own = ALL_LOSSES[recipe.loss].search_within(classes, recipe.embedding_size)
    ranges = {**OPTIMIZERS[recipe.optimizer], **own}
    return {
        name: Range(min(ranges[name].low, value), max(ranges[name].high, value), ranges[name].log)
        for name, value in starting_values(recipe).items()
    }


def at_edge(values: Mapping[str, float], space: Mapping[str, Range]) -> tuple[str, ...]:
    """The names of the values in the outer tenth of their range, at either end.

    A best value there says that the range may end before the best does. Where the range is
    searched on a logarithmic scale, the tenth is taken on it.
    """
    return tuple(name for name, value in values.items() if _is_outer(value, space[name]))


def _is_outer(value: float, space: Range) -> bool:
    scale = math.log if space.log else float
    low, high = scale(space.low), scale(space.high)
    return high > low and not low + _OUTER * (high - low) < scale(value) < high - _OUTER * (
        high - low
    )


def with_values(recipe: Recipe, values: Mapping[str, float]) -> Recipe:
    """The recipe with values that a search chose."""
    settings = OPTIMIZERS[recipe.optimizer]
    parameters = {name: value for name, value in values.items() if name not in settings}
    return recipe.varied(
        **{name: value for name, value in values.items() if name in settings},
        parameters=recipe.parameters | parameters,
    )
